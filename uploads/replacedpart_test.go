package uploads_test

import (
	"context"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A client sends a part again just before the completion joins the parts. If it listed ETags, the completion fails
// with PartsChanged. Otherwise the file has the new part.
func TestCompletePartReplaced(t *testing.T) {
	for _, row := range []struct {
		name string
		etag bool // the client names parts by ETags
	}{{"named by its ETag", true}, {"named by its number only", false}} {
		t.Run(row.name, func(t *testing.T) {
			runOnStores(t, func(t *testing.T, open opener) {
				if strings.HasSuffix(t.Name(), "/gcs") {
					t.Skip("fake-gcs-server joins a part of another generation than the one that is named; " +
						"TestCompletePartsReplacedPart of providers/gcs has the rule")
				}
				s := newSessionSite(t, open(t, driver.WithLayer(rival("another"))), uploads.Config{ProxyParts: true})
				u := s.begin(map[string]any{"filename": "file"})
				part := u.send(1, []byte("text"))
				if !row.etag {
					part.ETag = ""
				}
				a := u.complete(part)
				if row.etag {
					require.Equal(t, "422 parts_changed parts[0].ETag", a.refusal(t))
					s.requireMissing("files/alice/file")
					var parts []sentPart
					s.do(alice, "GET", u.path(""), nil, nil).json(t, &parts)
					a = u.complete(parts...)
				}

				require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
				s.requireStored("files/alice/file", []byte("another"))
				require.Equal(t, []string{"files/alice/file"}, s.sweepEverything())
			})
		})
	}
}

// A rivalDriver stores part 1 again before its first completion.
type rivalDriver struct {
	driver.Driver
	text string
}

func rival(text string) driver.Layer {
	return func(next driver.Driver) driver.Driver { return &rivalDriver{next, text} }
}

func (d *rivalDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if text := d.text; text != "" {
		d.text = ""
		_, err := d.PutPart(ctx, &driver.PartRequest{
			Key:       r.Put.Key,
			Upload:    r.Upload,
			Number:    1,
			Body:      strings.NewReader(text),
			Size:      int64(len(text)),
			Unchecked: r.Put.UncheckedParts,
			CRC32C:    storage.CRC32C{Sum: crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)), Known: true},
		})
		if err != nil {
			return nil, err
		}
	}
	return d.Driver.CompleteParts(ctx, r)
}

// If another request completes the upload after this request has read its state, this request reports that the
// file exists.
func TestCompleteBesideOtherRequest(t *testing.T) {
	tests := []struct {
		name string
		ask  func(u *begun, sent sentPart) *answer
		want int
	}{
		{"while it lists the parts", func(u *begun, _ sentPart) *answer { return u.s.do(alice, "GET", u.path(""), nil, nil) }, http.StatusConflict},
		{"while it completes with the same parts", func(u *begun, part sentPart) *answer { return u.complete(part) }, http.StatusOK},
		{"while it completes with others", func(u *begun, part sentPart) *answer { return u.complete(sentPart{part.PartNumber, ""}) }, http.StatusConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var beforeCall func()
			s := newSessionSite(t, memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
				return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
					if run := beforeCall; call == "ListParts" && run != nil {
						beforeCall = nil
						run()
					}
					return next(ctx)
				})
			})), uploads.Config{ProxyParts: true})
			u := s.begin(map[string]any{"filename": "file"})
			part := u.send(1, []byte("text"))
			beforeCall = func() {
				require.Equal(t, http.StatusOK, u.complete(part).StatusCode)
			}

			a := tt.ask(u, part)
			require.Equal(t, tt.want, a.StatusCode, string(a.body))
			require.Contains(t, string(a.body), `"key":"files/alice/file"`)
			s.requireStored("files/alice/file", []byte("text"))
		})
	}
}
