package gcs

import (
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func deletes(c gcs.LifecycleCondition) gcs.LifecycleRule {
	return gcs.LifecycleRule{Action: gcs.LifecycleAction{Type: gcs.DeleteAction}, Condition: c}
}

// A lifecycle rule becomes one Google rule for each action. A further rule removes old parts, which Google's own
// action for uploads does not see. https://cloud.google.com/storage/docs/lifecycle#abort-mpu.
func TestLifecycleHasOneRuleForEachAction(t *testing.T) {
	prefixes := []string{"tmp/"}
	lifecycle := lifecycleRules([]storage.LifecycleRule{
		{Prefix: "tmp/", ExpireAfterDays: 4, ExpireOldVersionsAfterDays: 3, AbortUploadsAfterDays: 2, TransitionAfterDays: 1, TransitionTo: "COLDLINE"},
		{ExpireOldVersionsAfterDays: 30},
		{AbortUploadsAfterDays: 7},
	})
	require.Equal(t, []gcs.LifecycleRule{
		deletes(gcs.LifecycleCondition{AgeInDays: 4, Liveness: gcs.Live, MatchesPrefix: prefixes}),
		deletes(gcs.LifecycleCondition{DaysSinceNoncurrentTime: 3, MatchesPrefix: prefixes}),
		{Action: gcs.LifecycleAction{Type: gcs.AbortIncompleteMPUAction}, Condition: gcs.LifecycleCondition{AgeInDays: 2, MatchesPrefix: prefixes}},
		{Action: gcs.LifecycleAction{Type: gcs.SetStorageClassAction, StorageClass: "COLDLINE"}, Condition: gcs.LifecycleCondition{AgeInDays: 1, Liveness: gcs.Live, MatchesPrefix: prefixes}},
		deletes(gcs.LifecycleCondition{DaysSinceNoncurrentTime: 30}),
		{Action: gcs.LifecycleAction{Type: gcs.AbortIncompleteMPUAction}, Condition: gcs.LifecycleCondition{AgeInDays: 7}},
		deletes(gcs.LifecycleCondition{AgeInDays: 7, MatchesPrefix: []string{".omnibucket./parts/"}}),
	}, lifecycle.Rules)
}

func TestLifecycleRoundTrip(t *testing.T) {
	for name, rules := range map[string][]storage.LifecycleRule{
		"none":                     nil,
		"one action":               {{Prefix: "tmp/", ExpireAfterDays: 3}},
		"all actions":              {{Prefix: "a/", ExpireAfterDays: 4, ExpireOldVersionsAfterDays: 3, AbortUploadsAfterDays: 2, TransitionAfterDays: 1, TransitionTo: "COLDLINE"}},
		"of the whole bucket":      {{ExpireAfterDays: 4, ExpireOldVersionsAfterDays: 3, AbortUploadsAfterDays: 2, TransitionAfterDays: 1, TransitionTo: "COLDLINE"}},
		"uploads of all, and some": {{AbortUploadsAfterDays: 7}, {Prefix: "a/", ExpireAfterDays: 7, AbortUploadsAfterDays: 7}, {AbortUploadsAfterDays: 9}},
		"some actions":             {{ExpireOldVersionsAfterDays: 3, TransitionAfterDays: 1, TransitionTo: "COLDLINE"}},
		"prefixes":                 {{Prefix: "a/", ExpireAfterDays: 4}, {Prefix: "b/", AbortUploadsAfterDays: 2}},
		"class after class":        {{TransitionAfterDays: 1, TransitionTo: "NEARLINE"}, {TransitionAfterDays: 9, TransitionTo: "COLDLINE"}},
		"one after another":        {{Prefix: "a/", AbortUploadsAfterDays: 2}, {Prefix: "a/", ExpireAfterDays: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, versioned := range []bool{false, true} {
				require.Equal(t, rules, parseLifecycleRules(lifecycleRules(rules), versioned))
			}
		})
	}
}

func TestLifecycleRulesHaveNoNames(t *testing.T) {
	parsed := parseLifecycleRules(lifecycleRules([]storage.LifecycleRule{{ID: "tmp", ExpireAfterDays: 3}}), false)
	require.Equal(t, []storage.LifecycleRule{{ExpireAfterDays: 3}}, parsed)
}

func TestLifecycleRulesOfOtherTools(t *testing.T) {
	tests := map[string]struct {
		rule      gcs.LifecycleRule
		versioned bool
		want      []storage.LifecycleRule
	}{
		"every version, if the bucket keeps one": {deletes(gcs.LifecycleCondition{AgeInDays: 3}), false, []storage.LifecycleRule{{ExpireAfterDays: 3}}},
		"every version":                          {deletes(gcs.LifecycleCondition{AgeInDays: 3}), true, nil},
		"old versions by their own age":          {deletes(gcs.LifecycleCondition{AgeInDays: 3, Liveness: gcs.Archived}), true, nil},
		"old versions, said twice":               {deletes(gcs.LifecycleCondition{DaysSinceNoncurrentTime: 3, Liveness: gcs.Archived}), true, []storage.LifecycleRule{{ExpireOldVersionsAfterDays: 3}}},
		"several prefixes":                       {deletes(gcs.LifecycleCondition{AgeInDays: 3, MatchesPrefix: []string{"a/", "b/"}}), false, []storage.LifecycleRule{{Prefix: "a/", ExpireAfterDays: 3}, {Prefix: "b/", ExpireAfterDays: 3}}},
		"two ages":                               {deletes(gcs.LifecycleCondition{AgeInDays: 3, DaysSinceNoncurrentTime: 3}), true, nil},
		"parts of this package only":             {partsRule(3), true, []storage.LifecycleRule{{AbortUploadsAfterDays: 3}}},
		"at once":                                {deletes(gcs.LifecycleCondition{AllObjects: true}), false, nil},
		"by a date":                              {deletes(gcs.LifecycleCondition{AgeInDays: 3, CreatedBefore: time.Unix(1, 0)}), false, nil},
		"by an old version's date":               {deletes(gcs.LifecycleCondition{AgeInDays: 3, NoncurrentTimeBefore: time.Unix(1, 0)}), false, nil},
		"by a date of one's own":                 {deletes(gcs.LifecycleCondition{AgeInDays: 3, CustomTimeBefore: time.Unix(1, 0)}), false, nil},
		"by days of one's own":                   {deletes(gcs.LifecycleCondition{AgeInDays: 3, DaysSinceCustomTime: 1}), false, nil},
		"by class":                               {deletes(gcs.LifecycleCondition{AgeInDays: 3, MatchesStorageClasses: []string{"NEARLINE"}}), false, nil},
		"by ending":                              {deletes(gcs.LifecycleCondition{AgeInDays: 3, MatchesSuffix: []string{".tmp"}}), false, nil},
		"by number":                              {deletes(gcs.LifecycleCondition{AgeInDays: 3, NumNewerVersions: 2}), true, nil},
		"an action of the future":                {gcs.LifecycleRule{Action: gcs.LifecycleAction{Type: "Shrink"}, Condition: gcs.LifecycleCondition{AgeInDays: 3}}, false, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, parseLifecycleRules(gcs.Lifecycle{Rules: []gcs.LifecycleRule{tt.rule}}, tt.versioned))
		})
	}
}
