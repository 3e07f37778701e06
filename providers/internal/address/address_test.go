package address

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

var form = Form{
	Scheme:      "test-address",
	Params:      []string{"flag"},
	Bucket:      "box",
	Account:     "test-address://",
	Credentials: "TEST_KEY",
}

// Name returns the bucket of an address, or "" for an account. It refuses credentials, a port and a
// path, and its error has no secret.
func TestNameOfABucketInAnAddress(t *testing.T) {
	tests := []struct {
		address string
		want    string
		refused string // part of the error; "": none
	}{
		{address: "test-address://photos", want: "photos"},
		{address: "test-address://photos/", want: "photos"},
		{address: "test-address://?flag=true"},
		{address: "test-address:photos", refused: "must be test-address://box"},
		{address: "test-address://user:secret@photos", refused: "must not hold credentials"},
		{address: "test-address://photos:80", refused: "must not have a port"},
		{address: "test-address://photos/a", refused: "must not have a path"},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			u, err := url.Parse(tt.address)
			require.NoError(t, err)

			name, err := form.Name(u)
			require.Equal(t, tt.want, name)
			if tt.refused == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.refused)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// Register makes storage.Open and storage.OpenService open addresses of a scheme. Invalid addresses
// are refused before anything is opened.
func TestRegisterOpensBucketsAndAccounts(t *testing.T) {
	var opened []string
	parse := func(u *url.URL) (string, error) { return form.Name(u) }
	openBucket := func(_ context.Context, name string) (driver.Driver, error) {
		opened = append(opened, "bucket "+name)
		return nil, storage.Unsupported
	}
	openAccount := func(_ context.Context, name string) (driver.ServiceDriver, error) {
		opened = append(opened, "account "+name)
		return nil, storage.Unsupported
	}
	Register(form, parse, openBucket, openAccount)

	_, err := storage.Open(t.Context(), "test-address://photos")
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = storage.OpenService(t.Context(), "test-address://")
	require.ErrorIs(t, err, storage.Unsupported)
	require.Equal(t, []string{"bucket photos", "account "}, opened)

	for _, address := range []string{
		"test-address://",
		"test-address://photos?other=1",
		"test-address://photos:80",
	} {
		_, err = storage.Open(t.Context(), address)
		require.ErrorIs(t, err, storage.InvalidArgument, address)
	}
	_, err = storage.OpenService(t.Context(), "test-address://photos")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Len(t, opened, 2, "nothing more was opened")
}

// Flag reads true or false, and refuses any other value. Without the parameter, it returns the
// default.
func TestFlag(t *testing.T) {
	const fallback = true
	tests := []struct {
		name  string
		query url.Values
		want  bool
	}{
		{name: "no parameter", query: url.Values{}, want: fallback},
		{name: "true", query: url.Values{"flag": {"true"}}, want: true},
		{name: "false", query: url.Values{"flag": {"false"}}, want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Flag(tt.query, "flag", fallback)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}

	for _, value := range []string{"", "yes", "TRUE", "1"} {
		t.Run(fmt.Sprintf("%q is refused", value), func(t *testing.T) {
			_, err := Flag(url.Values{"flag": {value}}, "flag", fallback)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// Endpoint takes a URL with http or https and a host, without a slash at its end, and refuses any
// other text.
func TestEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:9000": "http://127.0.0.1:9000",
		"https://host/":         "https://host",
		"https://host/base/":    "https://host/base",
	} {
		u, ok := Endpoint(text)
		require.True(t, ok, text)
		require.Equal(t, want, u.String())
	}
	for _, text := range []string{
		"",
		"host",
		"host:9000",
		"ftp://host",
		"http://",
		"http://user:secret@host",
		"http://host?a=b",
		"http://host#a",
		"http://host\x7f",
	} {
		_, ok := Endpoint(text)
		require.False(t, ok, text)
	}
}
