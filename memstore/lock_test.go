package memstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// SetRetention fails with Locked for an earlier date, and the error says how to set it nevertheless.
func TestRetentionCannotBeShortened(t *testing.T) {
	b := memstore.New(storage.WithObjectLock())
	_, err := b.Upload(t.Context(), "k", strings.NewReader("x"),
		storage.WithRetention(time.Now().Add(time.Hour), storage.Governance))
	require.NoError(t, err)

	err = storage.SetRetention(t.Context(), b, "k", storage.Retention{})
	require.ErrorIs(t, err, storage.Locked)
	require.ErrorContains(t, err, "can only be extended (in the mode Governance, give WithGovernanceBypass)")
}
