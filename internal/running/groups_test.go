package running

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// EachGroup calls a function with groups of items until too many have failed, or until the function asks for no more.
func TestEachGroup(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		items       int
		groupSize   int
		maxFailures int
		fails       func(item int) bool
		stopAfter   int // items after which do asks for no more; 0 for never
		wantDone    int
		wantFailed  int
		wantGroups  []int // their sizes
	}{
		"no items": {
			items:       0,
			groupSize:   3,
			maxFailures: 9,
		},
		"whole groups": {
			items:       6,
			groupSize:   3,
			maxFailures: 9,
			wantDone:    6,
			wantGroups:  []int{3, 3},
		},
		"last group smaller": {
			items:       7,
			groupSize:   3,
			maxFailures: 9,
			wantDone:    7,
			wantGroups:  []int{3, 3, 1},
		},
		"fewer failures than the limit": {
			items:       4,
			groupSize:   2,
			maxFailures: 9,
			fails:       func(item int) bool { return item == 0 },
			wantDone:    3,
			wantFailed:  1,
			wantGroups:  []int{2, 2},
		},
		"as many failures as the limit": {
			items:       6,
			groupSize:   2,
			maxFailures: 2,
			fails:       func(int) bool { return true },
			wantFailed:  2,
			wantGroups:  []int{2},
		},
		"function asks for no more": {
			items:       6,
			groupSize:   2,
			maxFailures: 9,
			stopAfter:   2,
			wantDone:    2,
			wantGroups:  []int{2},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			all := make([]int, tt.items)
			for i := range all {
				all[i] = i
			}

			var groups []int
			count := 0
			do := func(group []int) (errs []error, more bool) {
				groups = append(groups, len(group))
				count += len(group)
				errs = make([]error, len(group))
				for i, item := range group {
					if tt.fails != nil && tt.fails(item) {
						errs[i] = broken
					}
				}
				return errs, tt.stopAfter == 0 || count < tt.stopAfter
			}

			done, failures := EachGroup(slices.Values(all), tt.groupSize, tt.maxFailures, do)
			require.Equal(t, tt.wantDone, done)
			require.Len(t, failures, tt.wantFailed)
			require.Equal(t, tt.wantGroups, groups)
		})
	}
}
