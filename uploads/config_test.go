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

// New refuses a Config with an invalid field, and says what is wrong with it.
func TestNewRefusesConfig(t *testing.T) {
	tests := []struct {
		name      string
		config    uploads.Config
		wantWords string // part of the error
	}{
		{
			name:      "an empty list of types",
			config:    uploads.Config{Rules: rules.Rules{Types: []string{}}},
			wantWords: "Config.Rules: Types",
		},
		{
			name:      "a type that cannot be detected",
			config:    uploads.Config{Rules: rules.Rules{Types: []string{"image/nonsense"}}},
			wantWords: "image/nonsense",
		},
		{
			name:      "the type of unknown content",
			config:    uploads.Config{Rules: rules.Rules{Types: []string{"application/octet-stream"}}},
			wantWords: "type of unknown content",
		},
		{
			name:      "the type of web pages",
			config:    uploads.Config{Rules: rules.Rules{Types: []string{"text/html"}}},
			wantWords: "browsers run",
		},
		{
			name:      "the type of scripts",
			config:    uploads.Config{Rules: rules.Rules{Types: []string{"application/javascript"}}},
			wantWords: "browsers run",
		},
		{
			name:      "a type of XML documents",
			config:    uploads.Config{Rules: rules.Rules{Types: []string{"application/rss+xml"}}},
			wantWords: "browsers run",
		},
		{name: "a negative size", config: uploads.Config{Rules: rules.Rules{MaxSize: -1}}, wantWords: "MaxSize"},
		{
			name:      "a least size above the greatest",
			config:    uploads.Config{Rules: rules.Rules{MinSize: 2, MaxSize: 1}},
			wantWords: "MinSize",
		},
		{
			name:      "a negative number of pixels",
			config:    uploads.Config{Rules: rules.Rules{MaxPixels: -1}},
			wantWords: "MaxPixels",
		},
		{name: "a key without {random}", config: uploads.Config{Key: "avatar{ext}"}, wantWords: "{random}"},
		{
			name:      "keys below the prefix of open uploads",
			config:    uploads.Config{Key: ".uploads/{random}{ext}"},
			wantWords: "Prefix",
		},
		{
			name:      "keys that look like routes of S3",
			config:    uploads.Config{Key: "s3/{random}{ext}"},
			wantWords: "routes",
		},
		{
			name:      "keys that look like routes of tus",
			config:    uploads.Config{Key: "tus/{random}{ext}"},
			wantWords: "routes",
		},
		{name: "a prefix without its slash", config: uploads.Config{Prefix: "pending"}, wantWords: "Prefix"},
		{name: "a prefix with a value", config: uploads.Config{Prefix: "{user}/"}, wantWords: "Prefix"},
		{name: "a prefix with dots", config: uploads.Config{Prefix: "../"}, wantWords: "Prefix"},
		{name: "an unknown link", config: uploads.Config{Link: 7}, wantWords: "Link"},
		{
			name:      "links that are valid for too long",
			config:    uploads.Config{LinkTTL: 8 * 24 * time.Hour},
			wantWords: "LinkTTL",
		},
		{
			name:      "signed uploads that are valid for too short a time",
			config:    uploads.Config{UploadTTL: time.Millisecond},
			wantWords: "UploadTTL",
		},
		{name: "a short TokenKey", config: uploads.Config{TokenKey: []byte("secret")}, wantWords: "TokenKey"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := uploads.New(memstore.New(), tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantWords)
		})
	}
}

// New refuses a missing bucket.
func TestNewRefusesNoBucket(t *testing.T) {
	for _, config := range []uploads.Config{{}, withTestDefaults(uploads.Config{})} {
		_, err := uploads.New(nil, config)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.ErrorContains(t, err, "bucket")
	}
}

// overwriting is a store that cannot refuse to overwrite.
type overwriting struct{ driver.Driver }

func (d overwriting) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.ConditionalCreate | storage.ConditionalUpdate
	return desc
}

// New refuses a bucket in which an upload could overwrite a file, unless Config.Unguarded is set.
func TestNewRefusesOverwritingBucket(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		return overwriting{d}
	}))
	_, err := uploads.New(bucket, uploads.Config{})
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "Config.Unguarded")

	s := newService(t, bucket, uploads.Config{Unguarded: true})
	_, err = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
	require.NoError(t, err)
	require.Len(t, listKeys(t, bucket), 1)
}

// New refuses a storage.Bucket that another package implements.
func TestNewRefusesOtherBucketType(t *testing.T) {
	_, err := uploads.New(struct{ storage.Bucket }{memstore.New()}, uploads.Config{Unguarded: true})
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "needs a bucket of this library")
}

// New refuses a kind of links that the bucket does not support.
func TestNewRefusesUnsupportedLinks(t *testing.T) {
	_, err := uploads.New(memstore.New(), uploads.Config{Link: uploads.SignedLink})
	require.ErrorIs(t, err, storage.Unsupported)

	_, err = uploads.New(memstore.New(), uploads.Config{Link: uploads.PublicLink})
	require.ErrorIs(t, err, storage.NotPublic)
}

// With PublicLink, the Location of a file is below the public base URL of the bucket, such as that of a CDN.
func TestPublicLinkIsThatOfCDN(t *testing.T) {
	bucket := memstore.New(storage.WithPublicBaseURL("https://cdn.example.com/files"))
	s := newService(t, bucket, uploads.Config{Link: uploads.PublicLink})
	r, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
	require.NoError(t, err)
	require.Equal(t, "https://cdn.example.com/files/"+r.Key, r.Location)
	require.True(t, r.ExpiresAt.IsZero())

	attrs, err := bucket.Attrs(t.Context(), r.Key)
	require.NoError(t, err)
	require.Equal(t, "public, max-age=31536000, immutable", attrs.CacheControl)
}

// The most specific match in Config.CacheControl decides the Cache-Control of a file.
func TestCacheControlOfClosestMatch(t *testing.T) {
	bucket := memstore.New()

	// The list has directives for a type and for the family of this type, a type without
	// directives, and directives for everything else.
	s := newService(t, bucket, uploads.Config{
		Rules: rules.Rules{Types: append(rules.Pictures(), "application/pdf", "text/plain")},
		CacheControl: map[string]string{
			"image/gif":       "no-cache",
			"image/*":         "max-age=60",
			"application/pdf": "",
			"*":               "no-store",
		},
	})

	tests := []struct {
		name    string
		content string
		want    string // Cache-Control
	}{
		{name: "a type that is listed", content: newGIF(1, 1), want: "no-cache"},
		{name: "a type of a family that is listed", content: newPNG(), want: "max-age=60"},
		{name: "a type that is listed without directives", content: "%PDF-1.7", want: ""},
		{name: "any other type", content: "plain", want: "no-store"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			require.NoError(t, err)

			attrs, err := bucket.Attrs(t.Context(), file.Key)
			require.NoError(t, err)
			require.Equal(t, tt.want, attrs.CacheControl)
		})
	}
}

// Store refuses a user whose ID would put the file under a reserved prefix.
func TestStoreRefusesReservedValue(t *testing.T) {
	bucket := memstore.New()
	s := newService(t, bucket, uploads.Config{Key: "{user}/{random}{ext}", Prefix: "pending/"})
	for _, user := range []string{"pending", "s3", "tus"} {
		_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG()), User: uploads.User{ID: user}})
		require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err), user)
	}
	require.Empty(t, listKeys(t, bucket))
}

// Store accepts an animated PNG as a PNG.
func TestStoreAnimatedPNG(t *testing.T) {
	// The chunk acTL, which makes a PNG an animation, follows the header.
	const headerSize = 33
	const animationChunk = "\x00\x00\x00\x08acTL\x00\x00\x00\x01\x00\x00\x00\x00\xb4\x2d\xe9\xa0"
	animation := newPNG()[:headerSize] + animationChunk + newPNG()[headerSize:]

	s := newService(t, memstore.New(), uploads.Config{Rules: rules.Rules{Types: []string{"image/png"}}})
	file, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(animation)})
	require.NoError(t, err)
	require.Equal(t, "image/png", file.ContentType)
	require.True(t, strings.HasSuffix(file.Key, ".png"))
}
