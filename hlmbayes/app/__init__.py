"""The window: `hlmbayes app` shows HLM's window in a browser, served to this machine alone.

`state` (the model as it is clicked, and each click as a function of it) and `beside` (what is asked with it),
`opening` (files to data), `session` (what one browser has open), `worker` and `doing` (the process that reads
files and estimates), `work` (long work in a process of its own), `results`, `pictures`, `script` (what came
of it), `settings`, `prior_form`, `files` (what comes in and goes out), `guard` (who may ask), `pages` and
`answers` (from a request to a part of the page), `server` and `tasks` (the addresses), `serving`, `launch`.
"""
