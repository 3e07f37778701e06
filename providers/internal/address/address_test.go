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

// Name returns the bucket of an address, or "" for an account, and refuses credentials, a port and a path without
// showing a secret.
func TestNameOfABucketInAnAddress(t *testing.T) {
	tests := []struct {
		address string
		want    string
		wantErr string // part of the text; "" if there is no error
	}{
		{address: "test-address://photos", want: "photos"},
		{address: "test-address://photos/", want: "photos"},
		{address: "test-address://?flag=true", want: ""},
		{address: "test-address:photos", wantErr: "must be test-address://box"},
		{address: "test-address://user:secret@photos", wantErr: "must not hold credentials"},
		{address: "test-address://photos:80", wantErr: "must not have a port"},
		{address: "test-address://photos/a", wantErr: "must not have a path"},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			u, err := url.Parse(tt.address)
			require.NoError(t, err)

			name, err := form.Name(u)
			require.Equal(t, tt.want, name)
			if tt.wantErr == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantErr)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// Register makes storage.Open and storage.OpenService open the addresses of a scheme, and refuse invalid ones before
// anything is opened.
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

	// Valid addresses reach the functions that open them.
	_, err := storage.Open(t.Context(), "test-address://photos")
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = storage.OpenService(t.Context(), "test-address://")
	require.ErrorIs(t, err, storage.Unsupported)
	require.Equal(t, []string{"bucket photos", "account "}, opened)

	// Invalid addresses do not reach these functions.
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
	require.Len(t, opened, 2)
}

// Flag reads true or false from a parameter, and returns the default without the parameter.
func TestFlag(t *testing.T) {
	const defaultValue = true
	tests := []struct {
		name  string
		query url.Values
		want  bool
	}{
		{name: "no parameter", query: url.Values{}, want: defaultValue},
		{name: "true", query: url.Values{"flag": {"true"}}, want: true},
		{name: "false", query: url.Values{"flag": {"false"}}, want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Flag(tt.query, "flag", defaultValue)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// Flag refuses any value but true and false.
func TestFlagRefused(t *testing.T) {
	const defaultValue = true
	for _, value := range []string{"", "yes", "TRUE", "1"} {
		t.Run(fmt.Sprintf("%q", value), func(t *testing.T) {
			_, err := Flag(url.Values{"flag": {value}}, "flag", defaultValue)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// Endpoint parses a URL with http or https and a host, and removes a slash at its end.
func TestEndpoint(t *testing.T) {
	tests := []struct {
		text string
		want string
	}{
		{text: "http://127.0.0.1:9000", want: "http://127.0.0.1:9000"},
		{text: "https://host/", want: "https://host"},
		{text: "https://host/base/", want: "https://host/base"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			endpoint, ok := Endpoint(tt.text)
			require.True(t, ok)
			require.Equal(t, tt.want, endpoint.String())
		})
	}
}

// Endpoint refuses a text that is not the root URL of a server, or that has further components.
func TestEndpointRefused(t *testing.T) {
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
		t.Run(text, func(t *testing.T) {
			_, ok := Endpoint(text)
			require.False(t, ok)
		})
	}
}
