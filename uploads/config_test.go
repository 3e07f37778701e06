package uploads_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// New refuses an invalid Config.
func TestNewRefusesConfig(t *testing.T) {
	tests := []struct {
		name   string
		config uploads.Config
		words  string
	}{
		{"no types", uploads.Config{Rules: rules.Rules{Types: []string{}}}, "Config.Rules: Types"},
		{"a type that cannot be detected", uploads.Config{Rules: rules.Rules{Types: []string{"image/nonsense"}}}, "image/nonsense"},
		{"any type", uploads.Config{Rules: rules.Rules{Types: []string{"application/octet-stream"}}}, "type of unknown content"},
		{"pages", uploads.Config{Rules: rules.Rules{Types: []string{"text/html"}}}, "browsers run"},
		{"scripts", uploads.Config{Rules: rules.Rules{Types: []string{"application/javascript"}}}, "browsers run"},
		{"documents of XML", uploads.Config{Rules: rules.Rules{Types: []string{"application/rss+xml"}}}, "browsers run"},
		{"a negative size", uploads.Config{Rules: rules.Rules{MaxSize: -1}}, "MaxSize"},
		{"bounds the wrong way round", uploads.Config{Rules: rules.Rules{MinSize: 2, MaxSize: 1}}, "MinSize"},
		{"no pixels", uploads.Config{Rules: rules.Rules{MaxPixels: -1}}, "MaxPixels"},
		{"a key without random", uploads.Config{Key: "avatar{ext}"}, "{random}"},
		{"keys where uploads wait", uploads.Config{Key: ".uploads/{random}{ext}"}, "Prefix"},
		{"keys that are routes of S3", uploads.Config{Key: "s3/{random}{ext}"}, "routes"},
		{"keys that are routes of tus", uploads.Config{Key: "tus/{random}{ext}"}, "routes"},
		{"a prefix without its slash", uploads.Config{Prefix: "pending"}, "Prefix"},
		{"a prefix with a value", uploads.Config{Prefix: "{user}/"}, "Prefix"},
		{"a prefix above", uploads.Config{Prefix: "../"}, "Prefix"},
		{"an unknown link", uploads.Config{Link: 7}, "Link"},
		{"links for ever", uploads.Config{LinkTTL: 8 * 24 * time.Hour}, "LinkTTL"},
		{"uploads for a moment", uploads.Config{UploadTTL: time.Millisecond}, "UploadTTL"},
		{"a short key", uploads.Config{TokenKey: []byte("secret")}, "TokenKey"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := uploads.New(memstore.New(), tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.words)
		})
	}
	_, err := uploads.New(nil, uploads.Config{})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// overwriting is a store that cannot refuse to overwrite.
type overwriting struct{ driver.Driver }

func (d overwriting) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.ConditionalCreate | storage.ConditionalUpdate
	return desc
}

// New refuses a bucket without IfAbsent, in which an upload could overwrite a file, unless Config.Unguarded is
// set.
func TestNewRefusesOverwritingBucket(t *testing.T) {
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return overwriting{d} }))
	_, err := uploads.New(b, uploads.Config{})
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "Config.Unguarded")

	s := newService(t, b, uploads.Config{Unguarded: true})
	_, err = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(aPNG())})
	require.NoError(t, err)
	require.Len(t, listKeys(t, b), 1)
}

// New refuses a storage.Bucket that another package implements.
func TestNewRefusesOtherBucketType(t *testing.T) {
	_, err := uploads.New(struct{ storage.Bucket }{memstore.New()}, uploads.Config{Unguarded: true})
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "needs a bucket of this library")
}

// New refuses Config.Link of a kind that the bucket does not support.
func TestNewRefusesUnsupportedLinks(t *testing.T) {
	_, err := uploads.New(memstore.New(), uploads.Config{Link: uploads.SignedLink})
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = uploads.New(memstore.New(), uploads.Config{Link: uploads.PublicLink})
	require.ErrorIs(t, err, storage.NotPublic)
}

// With PublicLink, a file's Location is below the bucket's public base URL, such as that of a CDN.
func TestPublicLinkIsThatOfCDN(t *testing.T) {
	b := memstore.New(storage.WithPublicBaseURL("https://cdn.example.com/files"))
	r, err := newService(t, b, uploads.Config{Link: uploads.PublicLink}).Store(t.Context(), uploads.Upload{Body: strings.NewReader(aPNG())})
	require.NoError(t, err)
	require.Equal(t, "https://cdn.example.com/files/"+r.Key, r.Location)
	require.True(t, r.ExpiresAt.IsZero())

	attrs, err := b.Attrs(t.Context(), r.Key)
	require.NoError(t, err)
	require.Equal(t, "public, max-age=31536000, immutable", attrs.CacheControl)
}

// The most specific match in Config.CacheControl decides a file's Cache-Control.
func TestCacheControlOfClosestMatch(t *testing.T) {
	b := memstore.New()
	s := newService(t, b, uploads.Config{
		Rules:        rules.Rules{Types: append(rules.Pictures(), "application/pdf", "text/plain")},
		CacheControl: map[string]string{"image/gif": "no-cache", "image/*": "max-age=60", "application/pdf": "", "*": "no-store"},
	})
	for content, want := range map[string]string{aGIF(1, 1): "no-cache", aPNG(): "max-age=60", "%PDF-1.7": "", "plain": "no-store"} {
		r, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(content)})
		require.NoError(t, err)
		attrs, err := b.Attrs(t.Context(), r.Key)
		require.NoError(t, err)
		require.Equal(t, want, attrs.CacheControl)
	}
}

// Store refuses a value of the key, such as a user's ID, that would put the file under a reserved prefix.
func TestStoreRefusesReservedValue(t *testing.T) {
	b := memstore.New()
	s := newService(t, b, uploads.Config{Key: "{user}/{random}{ext}", Prefix: "pending/"})
	for _, user := range []string{"pending", "s3", "tus"} {
		_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(aPNG()), User: uploads.User{ID: user}})
		require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err), user)
	}
	require.Empty(t, listKeys(t, b))
}

// An animated PNG is a PNG.
func TestStoreAnimatedPNG(t *testing.T) {
	const chunk = "\x00\x00\x00\x08acTL\x00\x00\x00\x01\x00\x00\x00\x00\xb4\x2d\xe9\xa0"
	s := newService(t, memstore.New(), uploads.Config{Rules: rules.Rules{Types: []string{"image/png"}}})
	r, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(aPNG()[:33] + chunk + aPNG()[33:])})
	require.NoError(t, err)
	require.Equal(t, "image/png", r.ContentType)
	require.True(t, strings.HasSuffix(r.Key, ".png"))
}
