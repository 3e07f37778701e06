package objectlock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func TestRemoval(t *testing.T) {
	later := now.Add(time.Hour)
	for name, row := range map[string]struct {
		retention    storage.Retention
		hold, bypass bool
		want         storage.Code
		hint         string
	}{
		"free":                       {storage.Retention{}, false, false, "", ""},
		"a retention that has ended": {storage.Retention{Mode: storage.Compliance, Until: now}, false, false, "", ""},
		"governance":                 {storage.Retention{Mode: storage.Governance, Until: later}, false, false, storage.Locked, "WithGovernanceBypass"},
		"governance, bypassed":       {storage.Retention{Mode: storage.Governance, Until: later}, false, true, "", ""},
		"compliance, bypassed":       {storage.Retention{Mode: storage.Compliance, Until: later}, false, true, storage.Locked, ""},
		"a hold, bypassed":           {storage.Retention{}, true, true, storage.Locked, "SetLegalHold"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckRemoval(row.retention, row.hold, row.bypass, now)
			require.Equal(t, row.want, storage.CodeOf(err))
			if row.hint != "" {
				require.ErrorContains(t, err, row.hint)
			}
		})
	}
}

// Default rounds the end of a default retention up to a whole second.
func TestDefaultIsRoundedUp(t *testing.T) {
	got := Default(storage.DefaultRetention{Mode: storage.Governance, Days: 1}, now)
	require.Equal(t, storage.Retention{Mode: storage.Governance, Until: time.Date(2026, 1, 3, 3, 4, 6, 0, time.UTC)}, got)
	require.Zero(t, Default(storage.DefaultRetention{}, now))
}
