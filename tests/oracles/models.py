"""The models of the oracles: equations in hlmbayes notation, the design as sums of products of columns."""

LEVEL2 = ["b0 = g00 + g01*sector + g02*meanses + u0"]
SIX = {
    "g00": "1",
    "g01": "sector",
    "g02": "meanses",
    "g10": "group(ses)",
    "g11": "group(ses)*sector",
    "g12": "group(ses)*meanses",
}

MODELS = {
    "model1_unconditional": {
        "equations": ["mathach = b0 + r", "b0 = g00 + u0"],
        "fixed": {"g00": "1"},
        "random": ["1"],
    },
    "model2_means_as_outcomes": {
        "equations": ["mathach = b0 + r", "b0 = g00 + g01*meanses + u0"],
        "fixed": {"g00": "1", "g01": "meanses"},
        "random": ["1"],
    },
    "model3_random_coefficients": {
        "equations": ["mathach = b0 + b1*group(ses) + r", "b0 = g00 + u0", "b1 = g10 + u1"],
        "fixed": {"g00": "1", "g10": "group(ses)"},
        "random": ["1", "group(ses)"],
    },
    "model4_intercepts_slopes": {
        "equations": [
            "mathach = b0 + b1*group(ses) + r",
            *LEVEL2,
            "b1 = g10 + g11*sector + g12*meanses + u1",
        ],
        "fixed": SIX,
        "random": ["1", "group(ses)"],
    },
    "model4_nonrandom_slope": {
        "equations": ["mathach = b0 + b1*group(ses) + r", *LEVEL2, "b1 = g10 + g11*sector + g12*meanses"],
        "fixed": SIX,
        "random": ["1"],
    },
    "random_only": {
        "equations": [
            "mathach = b0 + b1*female + b2*group(ses) + r",
            *LEVEL2,
            "b1 = u1",
            "b2 = g20 + g21*sector + g22*meanses + u2",
        ],
        "fixed": {k.replace("g1", "g2"): v for k, v in SIX.items()},
        "random": ["1", "female", "group(ses)"],
    },
    "constrained": {
        "equations": [
            "mathach = b0 + b1*group(ses) + r",
            *LEVEL2,
            "b1 = g10 + g11*sector + g12*meanses + u1",
        ],
        "constraints": ["g02 = g12"],
        "fixed": {
            "g00": "1",
            "g01": "sector",
            "g02=g12": "meanses + group(ses)*meanses",
            "g10": "group(ses)",
            "g11": "group(ses)*sector",
        },
        "random": ["1", "group(ses)"],
    },
    "three_random_uncentred": {
        "equations": [
            "mathach = b0 + b1*ses + b2*minority + r",
            "b0 = g00 + g01*sector + u0",
            "b1 = g10 + u1",
            "b2 = g20 + g21*sector + u2",
        ],
        "fixed": {"g00": "1", "g01": "sector", "g10": "ses", "g20": "minority", "g21": "minority*sector"},
        "random": ["1", "ses", "minority"],
    },
    "four_random": {
        "equations": [
            "mathach = b0 + b1*group(ses) + b2*minority + b3*female + r",
            "b0 = g00 + u0",
            "b1 = g10 + u1",
            "b2 = g20 + u2",
            "b3 = g30 + u3",
        ],
        "fixed": {"g00": "1", "g10": "group(ses)", "g20": "minority", "g30": "female"},
        "random": ["1", "group(ses)", "minority", "female"],
    },
    "no_intercept_dummies": {
        "equations": [
            "mathach = b1*male + b2*female + r",
            "b1 = g10 + g11*sector + u1",
            "b2 = g20 + g21*sector + u2",
        ],
        "fixed": {"g10": "male", "g11": "male*sector", "g20": "female", "g21": "female*sector"},
        "random": ["male", "female"],
    },
    "grand_centred": {
        "equations": [
            "mathach = b0 + b1*grand(ses) + b2*minority + r",
            "b0 = g00 + g01*sector + g02*grand(meanses) + u0",
            "b1 = g10 + g11*grand(meanses) + u1",
            "b2 = g20",
        ],
        # level-2 grand centring: about the mean over the 160 schools, not over rows
        "fixed": {
            "g00": "1",
            "g01": "sector",
            "g02": "school(meanses)",
            "g10": "grand(ses)",
            "g11": "grand(ses)*school(meanses)",
            "g20": "minority",
        },
        "random": ["1", "grand(ses)"],
    },
}
