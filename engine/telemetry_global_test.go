package engine_test

import (
	"strings"
	"testing"

	"github.com/omnibucket/storage/memstore"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
)

// A global provider that is set after a bucket was opened gets the spans of later calls. It stays set, so there is no
// other such test in this package.
func TestTelemetryGlobalProvider(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "before", strings.NewReader(""))
	require.NoError(t, err)

	recorded := newRecorder()
	otel.SetTracerProvider(recorded)
	_, err = bucket.Upload(t.Context(), "after", strings.NewReader(""))
	require.NoError(t, err)
	require.Len(t, recorded.spans, 1)
	require.Equal(t, "after", recorded.spans[0].attr("omnibucket.key"))
}
