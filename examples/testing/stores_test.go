package notes

import (
	"net/http"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	_ "github.com/omnibucket/storage/providers/s3" // s3://
	"github.com/omnibucket/storage/s3server"
)

func TestNotesOnEachStore(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (storage.Bucket, error){
		"memory":      func(*testing.T) (storage.Bucket, error) { return memstore.New(), nil },
		"a directory": func(t *testing.T) (storage.Bucket, error) { return local.Open(t.TempDir(), local.Config{}) },
		"S3":          openS3,
	} {
		t.Run(name, func(t *testing.T) {
			store, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = storage.Close(store) })
			expect(t, send(t, store, http.MethodPut, "/notes/7", "milk"), http.StatusCreated)
			expect(t, send(t, store, http.MethodPut, "/notes/7", "bread"), http.StatusConflict)
			expect(t, send(t, store, http.MethodGet, "/notes/7", ""), http.StatusOK)
		})
	}
}

// openS3 opens a bucket of an S3 server in this process, by its address and the environment, as the
// program does in production.
func openS3(t *testing.T) (storage.Bucket, error) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"notes"}})
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	return storage.Open(t.Context(), server.Address("notes"))
}
