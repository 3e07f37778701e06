package customerkey_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

var raw = []byte("0123456789abcdefghijklmnopqrstuv")

// secretForms returns the forms in which a text could reveal the key.
func secretForms() map[string]string {
	return map[string]string{
		"raw":      string(raw),
		"part":     string(raw[:8]),
		"hex":      fmt.Sprintf("%x", raw),
		"HEX":      fmt.Sprintf("%X", raw),
		"base64":   "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY",
		"decimals": "48 49 50 51",
		"JSON":     "48,49,50,51",
		"Go":       "0x30, 0x31, 0x32",
		"octal":    "60 61 62 63",
		"binary":   "110000 110001",
	}
}

// The bytes of a key stay hidden in each way of printing the key or a value that contains it.
func TestKeyIsNotPrinted(t *testing.T) {
	key := customerkey.New("WithCustomerKey", raw)
	request := driver.PutRequest{Native: []any{key}}
	for name, value := range map[string]any{
		"the key":                     key,
		"the key without its pointer": *key,
		"an option":                   storage.WithNative("test", key),
		"an option for a source":      storage.WithSourceNative("test", key),
		"a request":                   request,
		"a pointer to a request":      &request,
		"a list":                      []any{key},
		"a map":                       map[string]any{"key": key},
		"an exported field":           struct{ Key *customerkey.Key }{key},
		"an unexported field":         struct{ key *customerkey.Key }{key},
		"a field that is no pointer":  struct{ key customerkey.Key }{*key},
	} {
		// texts has the value as each way of printing shows it.
		texts := map[string]string{}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%p"} {
			texts[verb] = fmt.Sprintf(verb, value)
		}

		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("json", "value", value)
		texts["slog"] = logged.String()
		text, err := json.Marshal(value)
		texts["JSON"] = fmt.Sprintf("%s %v", text, err)

		// No text may contain the key in any form, such as in hexadecimal or as a list of numbers.
		for printer, text := range texts {
			for form, secret := range secretForms() {
				require.NotContains(t, text, secret, "%s printed by %s, %s", name, printer, form)
			}
		}
	}

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		require.Equal(t, "WithCustomerKey(REDACTED)", fmt.Sprintf(verb, key))
	}
}

// New copies the bytes of the key. The caller can clear the original bytes afterwards.
func TestNewCopiesKey(t *testing.T) {
	callerBytes := bytes.Clone(raw)
	key := customerkey.New("WithCustomerKey", callerBytes)
	clear(callerBytes)

	require.Equal(t, raw, key.Bytes())
}

// CheckSize fails unless the key has 32 bytes.
func TestCheckSize(t *testing.T) {
	require.NoError(t, customerkey.New("WithCustomerKey", raw).CheckSize())

	for _, size := range []int{0, 16, 31} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			err := customerkey.New("WithSourceCustomerKey", raw[:size]).CheckSize()
			require.ErrorIs(t, err, storage.InvalidArgument)
			want := fmt.Sprintf("WithSourceCustomerKey must have 32 bytes, and has %d", size)
			require.ErrorContains(t, err, want)
		})
	}
}

// CheckAddress refuses to send a key to an address without TLS, except on this machine. If there is
// no key, it accepts every address.
func TestCheckAddress(t *testing.T) {
	key := customerkey.New("WithCustomerKey", raw)
	var noKey *customerkey.Key
	tests := []struct {
		name        string
		address     string
		wantRefused bool
	}{
		{name: "TLS", address: "https://example.com", wantRefused: false},
		{name: "this machine", address: "http://127.0.0.1:80", wantRefused: false},
		{name: "without TLS", address: "http://example.com", wantRefused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.address)
			require.NoError(t, err)
			require.NoError(t, noKey.CheckAddress(u))

			err = key.CheckAddress(u)
			if tt.wantRefused {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// The fingerprint of a key depends only on the bytes of the key, whatever option the key is for. It is not the SHA-256
// of the key, which servers know.
func TestFingerprintOfKeyOnly(t *testing.T) {
	key := customerkey.New("WithCustomerKey", raw)
	sourceKey := customerkey.New("WithSourceCustomerKey", raw)
	differentKey := customerkey.New("WithCustomerKey", bytes.ToUpper(raw))

	require.Equal(t, key.Fingerprint(), sourceKey.Fingerprint())
	require.NotEqual(t, key.Fingerprint(), differentKey.Fingerprint())
	require.NotEqual(t, key.SHA256(), key.Fingerprint())
}

// In returns the last key among several options, or nil if there is none.
func TestInReturnsLastKey(t *testing.T) {
	first := customerkey.New("WithCustomerKey", raw)
	last := customerkey.New("WithCustomerKey", raw)
	require.Same(t, last, customerkey.In([]any{first, "other", last}))
	require.Nil(t, customerkey.In([]any{"other"}))
}
