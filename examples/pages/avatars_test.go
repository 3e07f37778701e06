package pages

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// picture returns a PNG of a width.
func picture(t *testing.T, width int) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, width, 1))))
	return b.String()
}

// A user has one picture: the last one that was accepted.
func TestAvatarsOnePictureForAUser(t *testing.T) {
	bucket := memstore.New(storage.WithSigningBaseURL("https://example.com/store"))
	service, err := avatars(bucket, func(*http.Request) (uploads.User, error) { return uploads.User{}, storage.Unauthenticated })
	require.NoError(t, err)
	send := func(user, text string) *uploads.File {
		f, err := service.Store(t.Context(), uploads.Upload{Body: strings.NewReader(text), Name: "me.png", User: uploads.User{ID: user}})
		require.NoError(t, err)
		return f
	}

	// The second picture replaces the first one of the same user.
	others := send("eva2", picture(t, 1))
	send("eva", picture(t, 1))
	second := send("eva", picture(t, 2))

	pictures := func() []string {
		return slices.DeleteFunc(keys(t, bucket), func(key string) bool { return !strings.HasPrefix(key, "pictures/") })
	}
	require.Equal(t, []string{second.Key, others.Key}, pictures())

	// A page is refused.
	_, err = service.Store(t.Context(), uploads.Upload{Body: strings.NewReader("<script>"), Name: "me.png", User: uploads.User{ID: "eva"}})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, []string{second.Key, others.Key}, pictures(), "what is refused replaces nothing")

	// Many pictures are stored at once.
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			send("eva", picture(t, 3))
		})
	}
	all.Wait()
	current, _, err := storage.ReadAll(t.Context(), bucket, "current/eva")
	require.NoError(t, err)
	require.Equal(t, []string{string(current), others.Key}, pictures(), "of several at once, the last stays")
}

// A thumbnail goes with its file.
func TestThumbnailGoesWithItsFile(t *testing.T) {
	bucket := memstore.New()
	shrink := func(picture []byte) io.Reader { return bytes.NewReader(picture[:8]) }
	service, err := uploads.New(bucket, withThumbnails(uploads.Config{DeleteShared: true}, bucket, shrink))
	require.NoError(t, err)
	f, err := service.Store(t.Context(), uploads.Upload{Body: strings.NewReader(picture(t, 1)), Name: "me.png"})
	require.NoError(t, err)

	require.ElementsMatch(t, []string{f.Key, "small/" + f.Key}, keys(t, bucket))
	require.NoError(t, service.Delete(t.Context(), f.Key, uploads.User{}))
	require.Empty(t, keys(t, bucket))
}
