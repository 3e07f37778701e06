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
	b := memstore.New()
	_, err := b.Upload(t.Context(), "before", strings.NewReader(""))
	require.NoError(t, err)
	r := &recorder{metrics: map[string][]attribute.Set{}}
	otel.SetTracerProvider(r)

	_, err = b.Upload(t.Context(), "after", strings.NewReader(""))
	require.NoError(t, err)
	require.Len(t, r.spans, 1)
	require.Equal(t, "after", r.spans[0].has("omnibucket.key"))
}
