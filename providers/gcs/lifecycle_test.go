package gcs

import (
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// deleteRule returns a rule of Google that deletes objects.
func deleteRule(c gcs.LifecycleCondition) gcs.LifecycleRule {
	return gcs.LifecycleRule{Action: gcs.LifecycleAction{Type: gcs.DeleteAction}, Condition: c}
}

// A lifecycle rule becomes one Google rule for each action. A further rule removes old parts, which Google's own
// action for uploads does not see. https://cloud.google.com/storage/docs/lifecycle#abort-mpu.
func TestLifecycleHasOneRuleForEachAction(t *testing.T) {
	tmp := []string{"tmp/"}
	abort := gcs.LifecycleAction{Type: gcs.AbortIncompleteMPUAction}
	toColdline := gcs.LifecycleAction{Type: gcs.SetStorageClassAction, StorageClass: "COLDLINE"}

	lifecycle := lifecycleRules([]storage.LifecycleRule{
		{
			Prefix:                     "tmp/",
			ExpireAfterDays:            4,
			ExpireOldVersionsAfterDays: 3,
			AbortUploadsAfterDays:      2,
			TransitionAfterDays:        1,
			TransitionTo:               "COLDLINE",
		},
		{ExpireOldVersionsAfterDays: 30},
		{AbortUploadsAfterDays: 7},
	})
	require.Equal(t, []gcs.LifecycleRule{
		// the first rule
		deleteRule(gcs.LifecycleCondition{AgeInDays: 4, Liveness: gcs.Live, MatchesPrefix: tmp}),
		deleteRule(gcs.LifecycleCondition{DaysSinceNoncurrentTime: 3, MatchesPrefix: tmp}),
		{Action: abort, Condition: gcs.LifecycleCondition{AgeInDays: 2, MatchesPrefix: tmp}},
		{Action: toColdline, Condition: gcs.LifecycleCondition{AgeInDays: 1, Liveness: gcs.Live, MatchesPrefix: tmp}},
		// the second rule
		deleteRule(gcs.LifecycleCondition{DaysSinceNoncurrentTime: 30}),
		// the third rule, which also applies to old parts
		{Action: abort, Condition: gcs.LifecycleCondition{AgeInDays: 7}},
		deleteRule(gcs.LifecycleCondition{AgeInDays: 7, MatchesPrefix: []string{".omnibucket./parts/"}}),
	}, lifecycle.Rules)
}

// Lifecycle rules are read back as they were set.
func TestLifecycleRoundTrip(t *testing.T) {
	allActions := storage.LifecycleRule{
		ExpireAfterDays:            4,
		ExpireOldVersionsAfterDays: 3,
		AbortUploadsAfterDays:      2,
		TransitionAfterDays:        1,
		TransitionTo:               "COLDLINE",
	}
	allActionsBelowA := allActions
	allActionsBelowA.Prefix = "a/"

	tests := []struct {
		name  string
		rules []storage.LifecycleRule
	}{
		{name: "no rules", rules: nil},
		{name: "one action", rules: []storage.LifecycleRule{{Prefix: "tmp/", ExpireAfterDays: 3}}},
		{name: "all actions, with a prefix", rules: []storage.LifecycleRule{allActionsBelowA}},
		{name: "all actions, for the whole bucket", rules: []storage.LifecycleRule{allActions}},
		{
			name: "uploads in the whole bucket and below a prefix",
			rules: []storage.LifecycleRule{
				{AbortUploadsAfterDays: 7},
				{Prefix: "a/", ExpireAfterDays: 7, AbortUploadsAfterDays: 7},
				{AbortUploadsAfterDays: 9},
			},
		},
		{
			name: "some actions",
			rules: []storage.LifecycleRule{
				{ExpireOldVersionsAfterDays: 3, TransitionAfterDays: 1, TransitionTo: "COLDLINE"},
			},
		},
		{
			name: "two prefixes",
			rules: []storage.LifecycleRule{
				{Prefix: "a/", ExpireAfterDays: 4},
				{Prefix: "b/", AbortUploadsAfterDays: 2},
			},
		},
		{
			name: "two transitions",
			rules: []storage.LifecycleRule{
				{TransitionAfterDays: 1, TransitionTo: "NEARLINE"},
				{TransitionAfterDays: 9, TransitionTo: "COLDLINE"},
			},
		},
		{
			name: "two rules with one prefix",
			rules: []storage.LifecycleRule{
				{Prefix: "a/", AbortUploadsAfterDays: 2},
				{Prefix: "a/", ExpireAfterDays: 4},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onWire := lifecycleRules(tt.rules)

			// The rules mean the same in a bucket with versions and in one without.
			const versioned, unversioned = true, false
			require.Equal(t, tt.rules, parseLifecycleRules(onWire, versioned))
			require.Equal(t, tt.rules, parseLifecycleRules(onWire, unversioned))
		})
	}
}

// Google keeps no IDs of lifecycle rules.
func TestLifecycleRulesHaveNoNames(t *testing.T) {
	parsed := parseLifecycleRules(lifecycleRules([]storage.LifecycleRule{{ID: "tmp", ExpireAfterDays: 3}}),
		false)
	require.Equal(t, []storage.LifecycleRule{{ExpireAfterDays: 3}}, parsed)
}

// A lifecycle rule of another tool is read if this package has a rule with the same meaning, and left out otherwise.
func TestLifecycleRulesOfOtherTools(t *testing.T) {
	tests := []struct {
		name      string
		rule      gcs.LifecycleRule
		versioned bool
		want      []storage.LifecycleRule
	}{
		{
			name:      "age of all versions, bucket without versioning",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3}),
			versioned: false,
			want:      []storage.LifecycleRule{{ExpireAfterDays: 3}},
		},
		{
			name:      "age of all versions, bucket with versioning",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3}),
			versioned: true,
			want:      nil,
		},
		{
			name:      "noncurrent versions, by age since their write",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, Liveness: gcs.Archived}),
			versioned: true,
			want:      nil,
		},
		{
			name:      "noncurrent versions, by age since they were replaced",
			rule:      deleteRule(gcs.LifecycleCondition{DaysSinceNoncurrentTime: 3, Liveness: gcs.Archived}),
			versioned: true,
			want:      []storage.LifecycleRule{{ExpireOldVersionsAfterDays: 3}},
		},
		{
			name:      "several prefixes",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, MatchesPrefix: []string{"a/", "b/"}}),
			versioned: false,
			want: []storage.LifecycleRule{
				{Prefix: "a/", ExpireAfterDays: 3}, {Prefix: "b/", ExpireAfterDays: 3},
			},
		},
		{
			name:      "two kinds of ages",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, DaysSinceNoncurrentTime: 3}),
			versioned: true,
			want:      nil,
		},
		{
			name:      "parts of this package",
			rule:      partsRule(3),
			versioned: true,
			want:      []storage.LifecycleRule{{AbortUploadsAfterDays: 3}},
		},
		{
			name:      "all objects, without an age",
			rule:      deleteRule(gcs.LifecycleCondition{AllObjects: true}),
			versioned: false,
			want:      nil,
		},
		{
			name:      "written before a date",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, CreatedBefore: time.Unix(1, 0)}),
			versioned: false,
			want:      nil,
		},
		{
			name:      "noncurrent since a date",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, NoncurrentTimeBefore: time.Unix(1, 0)}),
			versioned: false,
			want:      nil,
		},
		{
			name:      "custom time before a date",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, CustomTimeBefore: time.Unix(1, 0)}),
			versioned: false,
			want:      nil,
		},
		{
			name:      "days since the custom time",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, DaysSinceCustomTime: 1}),
			versioned: false,
			want:      nil,
		},
		{
			name: "some storage classes",
			rule: deleteRule(gcs.LifecycleCondition{
				AgeInDays:             3,
				MatchesStorageClasses: []string{"NEARLINE"},
			}),
			versioned: false,
			want:      nil,
		},
		{
			name:      "suffix",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, MatchesSuffix: []string{".tmp"}}),
			versioned: false,
			want:      nil,
		},
		{
			name:      "number of newer versions",
			rule:      deleteRule(gcs.LifecycleCondition{AgeInDays: 3, NumNewerVersions: 2}),
			versioned: true,
			want:      nil,
		},
		{
			name: "unknown action",
			rule: gcs.LifecycleRule{
				Action:    gcs.LifecycleAction{Type: "Shrink"},
				Condition: gcs.LifecycleCondition{AgeInDays: 3},
			},
			versioned: false,
			want:      nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want,
				parseLifecycleRules(gcs.Lifecycle{Rules: []gcs.LifecycleRule{tt.rule}}, tt.versioned))
		})
	}
}
