package uploads_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// The service holds at most eight times Config.MemoryLimit of the bytes of slow senders, and another user's upload
// succeeds meanwhile.
func TestMemoryLimitOfSlowBodies(t *testing.T) {
	const memory = 16 << 20
	const connections = 100
	const maxHeld = 8 * memory
	for _, way := range slowWays {
		// The bytes of a draft are not limited like this, because the service must hold them.
		if way.name == "the draft" {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSynctestSite(t, memstore.New(), uploads.Config{
					Key:         "{user}/{random}{ext}",
					Rules:       rules.Any(1 << 30),
					ProxyParts:  true,
					MemoryLimit: memory,
				})

				// The slow user sends the start of each body, and then nothing until done is
				// closed. The start is that of a form. Ways of uploading without forms accept any
				// bytes, and so accept it, too.
				startOfForm := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nsome text\n"
				done := make(chan struct{})
				var senders sync.WaitGroup
				for i := range connections {
					senders.Go(func() {
						method, address, h := way.request(s, "slow", i)
						body := io.MultiReader(strings.NewReader(startOfForm), eofAfter(done))
						_, _ = s.try(t.Context(), "slow", method, address, body, h)
					})
				}
				synctest.Wait()

				// The service holds bytes of the slow user, but not too many.
				require.NotZero(t, s.handler.BodiesUsed())
				require.LessOrEqual(t, s.handler.BodiesUsed(), int64(maxHeld))

				// Another user's upload succeeds meanwhile.
				method, address, h := way.request(s, alice, 0)
				resp := s.do(alice, method, address, bytes.NewReader([]byte(startOfForm+"\r\n--x--\r\n")), h)
				require.Less(t, resp.StatusCode, http.StatusMultipleChoices, string(resp.body))

				// Without the slow requests, no memory is in use.
				close(done)
				senders.Wait()
				require.Zero(t, s.handler.BodiesUsed())
			})
		})
	}
}

// The service holds a proxied part in memory as a whole. So a part may have at most twice as many bytes as
// Config.MemoryLimit.
func TestMemoryLimitOfProxiedPart(t *testing.T) {
	const memory = 16 << 20
	const maxPart = 2 * memory
	s := newSessionSite(t, memstore.New(), uploads.Config{ProxyParts: true, MemoryLimit: memory})

	// The client learns how large a part may be when it begins an upload.
	u := s.beginMultipart(map[string]any{"filename": "a", "size": 64 << 30})
	require.EqualValues(t, maxPart, u.MaxPartSize)
	require.LessOrEqual(t, u.PartSize, u.MaxPartSize)

	// It gets no URL for a part that is too large.
	require.Equal(t, "413 too_large size", s.get(alice, u.path("/1")+"&size="+itoa(maxPart+1)).refusal(t))

	// A URL that was signed without a size takes no more than the largest part.
	address := u.signPart(1, "").URL
	resp := s.do("", "PUT", address, io.LimitReader(infiniteBody{}, maxPart+1), nil)
	require.Equal(t, "413 too_large body", resp.refusal(t))
	require.Equal(t, http.StatusOK, s.do("", "PUT", address, io.LimitReader(infiniteBody{}, maxPart), nil).StatusCode)
}

// An infiniteBody never ends.
type infiniteBody struct{}

func (infiniteBody) Read(p []byte) (int, error) { return len(p), nil }
