package argument_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// CheckForm fails with Unsupported for a document of a later form.
func TestCheckRefusesLaterForms(t *testing.T) {
	tests := []struct {
		name    string
		text    string
		isLater bool
	}{
		{name: "no number", text: `{"key":"k"}`},
		{name: "a known form", text: `{"form":2}`},
		{name: "a later form", text: `{"form":3}`, isLater: true},
		{name: "a later form with other fields", text: `{"key":[1],"form":3}`, isLater: true},
		{name: "a field inside", text: `{"metadata":{"form":3}}`},
		{name: "a text", text: `{"metadata":"\"form\":3"}`},
		{name: "no JSON", text: `"form":3`},
		{name: "another type", text: `{"form":"3"}`},
		{name: "empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const newestForm = 2
			err := argument.CheckForm("Read", "k", []byte(tt.text), newestForm)
			if !tt.isLater {
				require.NoError(t, err)
				return
			}
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.Unsupported, e.Code)
			require.Equal(t, "k", e.Key)
			require.NotEmpty(t, e.Hint)
		})
	}
}
