"""`seqlab check`: is this training set up to learn?

| module | contents |
| --- | --- |
| check | the story: plan, build the model, try it, judge |
| rules, rule | the table `RULES`; what a rule is |
| seen_in_text, seen_in_model | when each rule fires |
| text, start, steps, through_time, memorise, rates, reach | what is measured |
| figures, result | all figures together; the result |
"""
