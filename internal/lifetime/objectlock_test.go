package lifetime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// CheckRemoval fails if a retention or a hold keeps a version from being removed.
func TestRemoval(t *testing.T) {
	later := now.Add(time.Hour)
	tests := map[string]struct {
		retention    storage.Retention
		hold, bypass bool
		want         storage.Code
		hint         string
	}{
		"neither": {retention: storage.Retention{}, want: ""},
		"a retention that has ended": {
			retention: storage.Retention{Mode: storage.Compliance, Until: now},
			want:      "",
		},
		"governance": {
			retention: storage.Retention{Mode: storage.Governance, Until: later},
			want:      storage.Locked,
			hint:      "WithGovernanceBypass",
		},
		"governance, bypassed": {
			retention: storage.Retention{Mode: storage.Governance, Until: later},
			bypass:    true,
			want:      "",
		},
		"compliance, bypassed": {
			retention: storage.Retention{Mode: storage.Compliance, Until: later},
			bypass:    true,
			want:      storage.Locked,
		},
		"a hold, bypassed": {
			retention: storage.Retention{},
			hold:      true,
			bypass:    true,
			want:      storage.Locked,
			hint:      "SetLegalHold",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := CheckRemoval(tt.retention, tt.hold, tt.bypass, now)
			require.Equal(t, tt.want, storage.CodeOf(err))
			if tt.hint != "" {
				require.ErrorContains(t, err, tt.hint)
			}
		})
	}
}

// DefaultRetention rounds the end of a retention up to a whole second.
func TestDefaultIsRoundedUp(t *testing.T) {
	got := DefaultRetention(storage.DefaultRetention{Mode: storage.Governance, Days: 1}, now)
	require.Equal(t, storage.Retention{
		Mode:  storage.Governance,
		Until: time.Date(2026, 1, 3, 3, 4, 6, 0, time.UTC),
	}, got)
	require.Zero(t, DefaultRetention(storage.DefaultRetention{}, now))
}
