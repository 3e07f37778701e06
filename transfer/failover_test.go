package transfer_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// While the primary of a mirror does not respond, a job copies from the second store. The report of
// the job says so.
func TestReportOfAFailover(t *testing.T) {
	const sentence = "second store of a mirror"
	tests := []struct {
		name         string
		rule         faults.Rule // for the primary
		wantFailover bool
	}{
		{name: "the primary responds", rule: faults.Delay(faults.Get, 0)}, // no fault
		{name: "the listing fails over", rule: faults.Fail(faults.List), wantFailover: true},
		{name: "a read fails over", rule: faults.Fail(faults.Get | faults.Head), wantFailover: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			primary := memstore.NewDriver(memstore.Config{})
			second := memstore.New()
			put(t, engine.New(primary), "k", "precious")
			put(t, second, "k", "precious")

			// The source is a mirror of both stores, with the fault in the primary.
			injector := faults.New(tt.rule)
			mirrored, err := mirror.New(second, mirror.Config{})
			require.NoError(t, err)
			src := engine.New(
				primary,
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
				driver.WithLayer(injector.Layer()),
				driver.WithLayer(mirrored),
			)

			report, err := transfer.Copy(t.Context(), memstore.New(), src)
			require.NoError(t, err)
			require.Equal(t, int64(1), report.Transferred)
			require.Equal(t, tt.wantFailover, report.FailedOver)
			require.Equal(t, tt.wantFailover, strings.Contains(report.String(), sentence), report.String())
		})
	}
}
