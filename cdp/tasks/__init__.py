"""The wiring: sampler, guide, judge, data, features and figures. The only place where the sibling
packages meet.

Import from the modules: what a page may call before anything heavy is loaded (sources, features)
lies beside what needs torch."""
