package gcs

import (
	"reflect"
	"slices"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

// lifecycleRules returns the rules in Google's form. Google has one rule for each action, and its
// rules have no names. By default, a Google rule applies to every version. So rules that expire
// objects or change their class are limited to current versions (Liveness).
// https://cloud.google.com/storage/docs/lifecycle
func lifecycleRules(rules []storage.LifecycleRule) gcs.Lifecycle {
	lifecycle := gcs.Lifecycle{}
	for _, rule := range rules {
		var prefixes []string
		if rule.Prefix != "" {
			prefixes = []string{rule.Prefix}
		}
		add := func(action gcs.LifecycleAction, condition gcs.LifecycleCondition) {
			condition.MatchesPrefix = prefixes
			lifecycle.Rules = append(lifecycle.Rules, gcs.LifecycleRule{Action: action, Condition: condition})
		}

		if rule.ExpireAfterDays > 0 {
			add(
				gcs.LifecycleAction{Type: gcs.DeleteAction},
				gcs.LifecycleCondition{AgeInDays: int64(rule.ExpireAfterDays), Liveness: gcs.Live},
			)
		}

		if rule.ExpireOldVersionsAfterDays > 0 {
			add(
				gcs.LifecycleAction{Type: gcs.DeleteAction},
				gcs.LifecycleCondition{DaysSinceNoncurrentTime: int64(rule.ExpireOldVersionsAfterDays)},
			)
		}

		if rule.AbortUploadsAfterDays > 0 {
			add(
				gcs.LifecycleAction{Type: gcs.AbortIncompleteMPUAction},
				gcs.LifecycleCondition{AgeInDays: int64(rule.AbortUploadsAfterDays)},
			)
			if rule.Prefix == "" {
				lifecycle.Rules = append(lifecycle.Rules, partsRule(rule.AbortUploadsAfterDays))
			}
		}

		if rule.TransitionAfterDays > 0 {
			add(
				gcs.LifecycleAction{Type: gcs.SetStorageClassAction, StorageClass: rule.TransitionTo},
				gcs.LifecycleCondition{AgeInDays: int64(rule.TransitionAfterDays), Liveness: gcs.Live},
			)
		}
	}
	return lifecycle
}

// partsRule returns the rule that removes old parts of this package's uploads, and their noncurrent
// versions. Google's action for unfinished uploads does not apply to these parts, because they are
// objects.
func partsRule(days int) gcs.LifecycleRule {
	return gcs.LifecycleRule{
		Action:    gcs.LifecycleAction{Type: gcs.DeleteAction},
		Condition: gcs.LifecycleCondition{AgeInDays: int64(days), MatchesPrefix: []string{componentsPrefix}},
	}
}

func isPartsRule(r *gcs.LifecycleRule) bool {
	return r.Condition.AgeInDays > 0 && reflect.DeepEqual(*r, partsRule(int(r.Condition.AgeInDays)))
}

// parseLifecycleRules returns the rules that [storage.LifecycleRule] can represent. It omits rules
// about dates, classes, suffixes or numbers of versions, because a LifecycleRule cannot express
// them. A caller that writes the result back therefore removes the omitted rules. Consecutive
// actions on one prefix become one rule with the same effect.
func parseLifecycleRules(lifecycle gcs.Lifecycle, isVersioned bool) []storage.LifecycleRule {
	var rules []storage.LifecycleRule
	for i := range lifecycle.Rules {
		prefixes := lifecycle.Rules[i].Condition.MatchesPrefix
		if len(prefixes) == 0 || isPartsRule(&lifecycle.Rules[i]) {
			prefixes = []string{""}
		}
		rule, step, representable := parseLifecycleRule(&lifecycle.Rules[i], isVersioned)
		for _, prefix := range prefixes {
			rule.Prefix = prefix
			last := len(rules) - 1
			switch {
			case !representable:
			case last >= 0 && rules[last].Prefix == prefix && step == 3 && rules[last].AbortUploadsAfterDays == rule.AbortUploadsAfterDays:
				// lifecycleRules writes AbortUploadsAfterDays as two actions. The first action has
				// already set the field, so the second action adds nothing.
			case last >= 0 && rules[last].Prefix == prefix && lastStep(&rules[last]) < step:
				merge(&rules[last], &rule)
			default:
				rules = append(rules, rule)
			}
		}
	}
	return rules
}

// parseLifecycleRule converts a rule of Google, which has only one action. lifecycleRules writes a
// [storage.LifecycleRule] as several such rules, in a fixed order of their actions. The result step
// is the position of the action in that order. If a LifecycleRule cannot represent the rule of
// Google, the result representable is false.
func parseLifecycleRule(
	r *gcs.LifecycleRule, isVersioned bool,
) (rule storage.LifecycleRule, step int, representable bool) {
	c := &r.Condition
	if hasOtherConditions(c) {
		return rule, 0, false
	}

	age := int(c.AgeInDays)
	noncurrentDays := int(c.DaysSinceNoncurrentTime)
	liveness := c.Liveness
	current := liveness == gcs.Live || liveness == gcs.LiveAndArchived && !isVersioned

	switch {
	case r.Action.Type == gcs.DeleteAction && age == 0 && noncurrentDays > 0 && liveness != gcs.Live:
		rule.ExpireOldVersionsAfterDays = noncurrentDays
		step = 2
	case age == 0 || noncurrentDays > 0:
		return rule, 0, false
	case r.Action.Type == gcs.AbortIncompleteMPUAction || isPartsRule(r):
		rule.AbortUploadsAfterDays = age
		step = 3
	case r.Action.Type == gcs.DeleteAction && current:
		rule.ExpireAfterDays = age
		step = 1
	case r.Action.Type == gcs.SetStorageClassAction && current:
		rule.TransitionAfterDays = age
		rule.TransitionTo = r.Action.StorageClass
		step = 4
	}
	return rule, step, step > 0
}

// hasOtherConditions reports whether c has conditions other than the prefix, the age and whether a
// version is current.
func hasOtherConditions(c *gcs.LifecycleCondition) bool {
	return c.AllObjects || !c.CreatedBefore.IsZero() || !c.CustomTimeBefore.IsZero() || !c.NoncurrentTimeBefore.IsZero() ||
		c.DaysSinceCustomTime != 0 || c.NumNewerVersions != 0 || len(c.MatchesStorageClasses) > 0 ||
		len(c.MatchesSuffix) > 0
}

// lastStep returns the position of the last action of r in the order of lifecycleRules, or 0 if r
// has no action.
func lastStep(r *storage.LifecycleRule) int {
	days := []int{r.ExpireAfterDays, r.ExpireOldVersionsAfterDays, r.AbortUploadsAfterDays, r.TransitionAfterDays}
	for i, n := range slices.Backward(days) {
		if n > 0 {
			return i + 1
		}
	}
	return 0
}

func merge(dst, src *storage.LifecycleRule) {
	dst.ExpireOldVersionsAfterDays = max(dst.ExpireOldVersionsAfterDays, src.ExpireOldVersionsAfterDays)
	dst.AbortUploadsAfterDays = max(dst.AbortUploadsAfterDays, src.AbortUploadsAfterDays)
	if src.TransitionAfterDays > 0 {
		dst.TransitionAfterDays = src.TransitionAfterDays
		dst.TransitionTo = src.TransitionTo
	}
}
