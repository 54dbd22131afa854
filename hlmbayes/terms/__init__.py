"""Terms of equations made into columns: products, powers, functions, factors, polynomials and splines.

A model with terms and data become a model of plain columns and data that have them; everything downstream
sees only these. What a term learnt (levels, knots, means) is kept, so that it can be made of other rows.
"""
