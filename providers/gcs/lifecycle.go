package gcs

import (
	"reflect"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

// lifecycleRules returns the rules in Google's form, which has one rule for each action, and no
// names. By default, a Google rule applies to every version, so rules that expire objects or change
// their class are limited to current versions (Liveness).
// https://cloud.google.com/storage/docs/lifecycle
func lifecycleRules(rules []storage.LifecycleRule) gcs.Lifecycle {
	lifecycle := gcs.Lifecycle{}
	for _, rule := range rules {
		lifecycle.Rules = append(lifecycle.Rules, rulesOfActions(rule)...)
	}
	return lifecycle
}

// rulesOfActions returns the rules of Google for the actions of a rule, in the order of the constants
// expireStep to transitionStep.
func rulesOfActions(rule storage.LifecycleRule) []gcs.LifecycleRule {
	// Without a prefix, a rule applies to all objects.
	var prefixes []string
	if rule.Prefix != "" {
		prefixes = []string{rule.Prefix}
	}

	var rules []gcs.LifecycleRule
	if rule.ExpireAfterDays > 0 {
		rules = append(rules, gcs.LifecycleRule{
			Action: gcs.LifecycleAction{Type: gcs.DeleteAction},
			Condition: gcs.LifecycleCondition{
				AgeInDays:     int64(rule.ExpireAfterDays),
				Liveness:      gcs.Live,
				MatchesPrefix: prefixes,
			},
		})
	}

	if rule.ExpireOldVersionsAfterDays > 0 {
		rules = append(rules, gcs.LifecycleRule{
			Action: gcs.LifecycleAction{Type: gcs.DeleteAction},
			Condition: gcs.LifecycleCondition{
				DaysSinceNoncurrentTime: int64(rule.ExpireOldVersionsAfterDays),
				MatchesPrefix:           prefixes,
			},
		})
	}

	if rule.AbortUploadsAfterDays > 0 {
		rules = append(rules, gcs.LifecycleRule{
			Action: gcs.LifecycleAction{Type: gcs.AbortIncompleteMPUAction},
			Condition: gcs.LifecycleCondition{
				AgeInDays:     int64(rule.AbortUploadsAfterDays),
				MatchesPrefix: prefixes,
			},
		})
		// The driver's own parts are not under a prefix of the user.
		if rule.Prefix == "" {
			rules = append(rules, partsRule(rule.AbortUploadsAfterDays))
		}
	}

	if rule.TransitionAfterDays > 0 {
		rules = append(rules, gcs.LifecycleRule{
			Action: gcs.LifecycleAction{Type: gcs.SetStorageClassAction, StorageClass: rule.TransitionTo},
			Condition: gcs.LifecycleCondition{
				AgeInDays:     int64(rule.TransitionAfterDays),
				Liveness:      gcs.Live,
				MatchesPrefix: prefixes,
			},
		})
	}
	return rules
}

// The positions of the actions of a rule in the order of rulesOfActions.
const (
	noStep = iota
	expireStep
	expireOldVersionsStep
	abortUploadsStep
	transitionStep
)

// partsRule returns the rule that removes old parts of this package's uploads, and their noncurrent
// versions, because these parts are objects, to which Google's action for unfinished uploads does
// not apply.
func partsRule(days int) gcs.LifecycleRule {
	return gcs.LifecycleRule{
		Action:    gcs.LifecycleAction{Type: gcs.DeleteAction},
		Condition: gcs.LifecycleCondition{AgeInDays: int64(days), MatchesPrefix: []string{componentsPrefix}},
	}
}

func isPartsRule(r *gcs.LifecycleRule) bool {
	return r.Condition.AgeInDays > 0 && reflect.DeepEqual(*r, partsRule(int(r.Condition.AgeInDays)))
}

// parseLifecycleRules returns the rules that [storage.LifecycleRule] can represent, and omits those
// about dates, classes, suffixes or numbers of versions. A caller that writes the result back
// therefore removes the omitted rules. Consecutive actions on one prefix become one rule with the
// same effect.
func parseLifecycleRules(lifecycle gcs.Lifecycle, isVersioned bool) []storage.LifecycleRule {
	var rules []storage.LifecycleRule
	for i := range lifecycle.Rules {
		// A rule without prefixes applies to all keys. The rule for parts of uploads comes from such a rule.
		prefixes := lifecycle.Rules[i].Condition.MatchesPrefix
		if len(prefixes) == 0 || isPartsRule(&lifecycle.Rules[i]) {
			prefixes = []string{""}
		}

		rule, step := parseLifecycleRule(&lifecycle.Rules[i], isVersioned)
		if step == noStep {
			continue // LifecycleRule cannot represent it
		}
		for _, prefix := range prefixes {
			rule.Prefix = prefix
			rules = appendRule(rules, rule, step)
		}
	}
	return rules
}

// appendRule appends a rule with one action, or adds the action to the last of rules, which it may belong
// to. rulesOfActions writes the actions of a rule one after another, in a fixed order. So the action
// belongs to the last rule if that has the same prefix and only actions with earlier positions. step is
// the position of the action.
func appendRule(rules []storage.LifecycleRule, rule storage.LifecycleRule, step int) []storage.LifecycleRule {
	if len(rules) == 0 {
		return append(rules, rule)
	}
	last := &rules[len(rules)-1]
	if last.Prefix != rule.Prefix {
		return append(rules, rule)
	}

	// rulesOfActions writes AbortUploadsAfterDays as two actions. The second action adds nothing to the
	// rule of the first.
	isRepeatedAbort := step == abortUploadsStep && last.AbortUploadsAfterDays == rule.AbortUploadsAfterDays
	if isRepeatedAbort {
		return rules
	}
	if step <= lastStep(last) {
		return append(rules, rule) // rulesOfActions would have written the action earlier
	}
	merge(last, &rule)
	return rules
}

// parseLifecycleRule converts a rule of Google's, which has only one action. The result step is the
// position of the action in the order in which rulesOfActions writes the actions of a
// [storage.LifecycleRule], or noStep if a LifecycleRule cannot represent the rule.
func parseLifecycleRule(r *gcs.LifecycleRule, isVersioned bool) (rule storage.LifecycleRule, step int) {
	if hasOtherConditions(&r.Condition) {
		return rule, noStep
	}
	if r.Condition.DaysSinceNoncurrentTime > 0 {
		return parseNoncurrentRule(r)
	}
	age := int(r.Condition.AgeInDays)
	if age == 0 {
		return rule, noStep
	}
	if r.Action.Type == gcs.AbortIncompleteMPUAction || isPartsRule(r) {
		rule.AbortUploadsAfterDays = age
		return rule, abortUploadsStep
	}

	// Without versions, every version is current.
	liveness := r.Condition.Liveness
	areAllCurrent := liveness == gcs.LiveAndArchived && !isVersioned
	isCurrentOnly := liveness == gcs.Live || areAllCurrent
	if !isCurrentOnly {
		return rule, noStep
	}
	switch r.Action.Type {
	case gcs.DeleteAction:
		rule.ExpireAfterDays = age
		return rule, expireStep
	case gcs.SetStorageClassAction:
		rule.TransitionAfterDays = age
		rule.TransitionTo = r.Action.StorageClass
		return rule, transitionStep
	}
	return rule, noStep
}

// parseNoncurrentRule is parseLifecycleRule for a rule about noncurrent versions. They can only be
// removed, and by no other condition than the days since they became noncurrent.
func parseNoncurrentRule(r *gcs.LifecycleRule) (rule storage.LifecycleRule, step int) {
	if r.Action.Type != gcs.DeleteAction || r.Condition.AgeInDays > 0 || r.Condition.Liveness == gcs.Live {
		return rule, noStep
	}
	rule.ExpireOldVersionsAfterDays = int(r.Condition.DaysSinceNoncurrentTime)
	return rule, expireOldVersionsStep
}

// hasOtherConditions reports whether c has conditions other than the prefix, the age and whether a
// version is current.
func hasOtherConditions(c *gcs.LifecycleCondition) bool {
	return c.AllObjects || !c.CreatedBefore.IsZero() || !c.CustomTimeBefore.IsZero() || !c.NoncurrentTimeBefore.IsZero() ||
		c.DaysSinceCustomTime != 0 || c.NumNewerVersions != 0 || len(c.MatchesStorageClasses) > 0 ||
		len(c.MatchesSuffix) > 0
}

// lastStep returns the position of the last action of r, or noStep if r has no action.
func lastStep(r *storage.LifecycleRule) int {
	if r.TransitionAfterDays > 0 {
		return transitionStep
	}
	if r.AbortUploadsAfterDays > 0 {
		return abortUploadsStep
	}
	if r.ExpireOldVersionsAfterDays > 0 {
		return expireOldVersionsStep
	}
	if r.ExpireAfterDays > 0 {
		return expireStep
	}
	return noStep
}

// merge adds the action of src to dst, which does not have that action. The action is never expireStep,
// because that is the first in the order of actions.
func merge(dst, src *storage.LifecycleRule) {
	// A field without an action is 0.
	dst.ExpireOldVersionsAfterDays = max(dst.ExpireOldVersionsAfterDays, src.ExpireOldVersionsAfterDays)
	dst.AbortUploadsAfterDays = max(dst.AbortUploadsAfterDays, src.AbortUploadsAfterDays)
	if src.TransitionAfterDays > 0 {
		dst.TransitionAfterDays = src.TransitionAfterDays
		dst.TransitionTo = src.TransitionTo
	}
}
