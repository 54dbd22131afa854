"""r_examples.json: what R says of its own examples whose outcomes are not normal.

python make_r_examples.py. Cows with a disease in herds (lme4's cbpp), ticks on grouse chicks (grouseticks),
the bitterness of wines (ordinal's wine) and the calls of owl chicks (glmmTMB's Owls), which are written to
data/. Under more than one node lme4's ``loglik`` lacks the constants, so only differences of it say anything
beside others.
"""

import json
import subprocess

from common import HERE, save

if __name__ == "__main__":
    command = ["Rscript", "--vanilla", str(HERE / "r_examples.R"), str(HERE / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    packages = ["lme4", "ordinal", "emmeans", "performance", "glmmTMB"]
    save("r_examples.json", "make_r_examples.py", json.loads(done.stdout), packages)
