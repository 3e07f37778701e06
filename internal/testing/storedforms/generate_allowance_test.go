package storedforms_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
)

// Versions before 3595d2a5 have no allowances: leave this file out when you write their golden files.
func init() {
	maps.Copy(writtenUploads, map[string]func(t *testing.T) stored{
		"upload-allowance": func(t *testing.T) stored { // one file is stored, and two uploads have reserved room
			d := newParts("store")
			s := newService(t, d, uploads.Config{Allowance: allow})
			_, err := s.Store(t.Context(), uploads.Upload{
				Body: strings.NewReader("text"),
				Name: "k.txt",
				User: uploads.User{ID: "user"},
			})
			require.NoError(t, err)
			address := createTus(t, s, 9, "")
			patchTus(t, s, address, 0, "text")
			ticket, err := s.Sign(t.Context(), uploads.Request{
				Name: "k.txt",
				Size: 9,
			}, uploads.User{ID: "user"})
			require.NoError(t, err)
			sendTicket(t, d, ticket)
			return stored{
				"store":  dump(t, d),
				"client": {{Key: "address", Body: address}, {Key: "token", Body: ticket.Token}},
			}
		},
	})
}

func allow(context.Context, uploads.User) (uploads.Allowance, error) {
	return uploads.Allowance{Bytes: 1000}, nil
}
