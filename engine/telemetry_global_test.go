package engine_test

import (
	"strings"
	"testing"

	"github.com/omnibucket/storage/memstore"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
)

// If the global provider is set after a bucket was opened, it sees later calls. It stays set, so this is the only
// such test of the package.
func TestTelemetryGlobalProvider(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "before", strings.NewReader(""))
	require.NoError(t, err)
	recorded := &recorder{metrics: map[string][]attribute.Set{}}
	otel.SetTracerProvider(recorded)

	_, err = bucket.Upload(t.Context(), "after", strings.NewReader(""))
	require.NoError(t, err)
	require.Len(t, recorded.spans, 1)
	require.Equal(t, "after", recorded.spans[0].has("omnibucket.key"))
}
