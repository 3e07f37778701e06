package storage_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

func logged(value any) string {
	var text bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("done", "it", value)
	return text.String()
}

func TestErrorsAreLoggedByTheirFields(t *testing.T) {
	_, err := memstore.New().Attrs(t.Context(), "missing")
	line := logged(err)
	for _, want := range []string{`it.code="object not found"`, "it.op=Attrs", "it.provider=memory", "it.key=missing", "it.msg="} {
		require.Contains(t, line, want)
	}
	require.NotContains(t, line, "it.status", "there was no HTTP")
	var none *storage.Error
	require.NotPanics(t, func() { logged(none) })
}

func TestAttrsAreLoggedWithoutMetadata(t *testing.T) {
	attrs, err := memstore.New().Upload(t.Context(), "a.txt", strings.NewReader("text"), storage.WithMetadata(map[string]string{"owner": "secret-name"}))
	require.NoError(t, err)
	line := logged(attrs)
	for _, want := range []string{"it.key=a.txt", "it.size=4", `it.content_type="text/plain; charset=utf-8"`, "it.revision="} {
		require.Contains(t, line, want)
	}
	require.NotContains(t, line, "secret-name")
	var none *storage.Attrs
	require.NotPanics(t, func() { logged(none) })
}
