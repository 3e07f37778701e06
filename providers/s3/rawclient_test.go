package s3

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// sdkOnly returns d with the client of the SDK for all requests.
func sdkOnly(d *objectDriver) *objectDriver {
	account := *d.account
	account.rawTransport = nil
	return newDriver(&account, d.bucket.name)
}

// usesRawClient reports whether d sends its requests by the raw client.
func usesRawClient(t *testing.T, d *objectDriver) bool {
	t.Helper()
	_, ok := d.bucket.objectAPI(t.Context()).(*rawclient.Client)
	return ok
}

// comparableRequest returns a request without the headers that describe the client, and without the
// time. It also removes the signature, which depends on them.
func comparableRequest(r wiretest.Request) wiretest.Request {
	r.Header = maps.Clone(r.Header)
	for _, name := range []string{"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "User-Agent", "X-Amz-Date"} {
		r.Header.Del(name)
	}

	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		return r
	}
	// The header has the form "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
	credential, rest, _ := strings.Cut(authorization, ", SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	names = strings.Replace(names, "amz-sdk-invocation-id;amz-sdk-request;", "", 1)
	r.Header.Set("Authorization", credential+" "+names)
	return r
}

// allProperties returns properties with a value for each header of an upload.
func allProperties() storage.Properties {
	return storage.Properties{
		ContentType:        "text/plain",
		ContentEncoding:    "gzip",
		ContentDisposition: `attachment;  filename="a  b"`,
		ContentLanguage:    "de",
		CacheControl:       "no-store",
		StorageClass:       "STANDARD_IA",
		Metadata: map[string]string{
			"owner":             "me",
			"empty":             "",
			"omnibucketwriteid": "1",
			"word":              "=?utf-8?q?a_b?=",
		},
	}
}

// A rawCall is a call whose request the raw client sends. Exactly one of the fields put, part, get
// and head is set.
type rawCall struct {
	name string
	put  *driver.PutRequest // with the body text
	part *driver.PartRequest
	get  *driver.GetRequest
	head *driver.GetRequest
	text string
}

// do makes the call with a copy of its request, so that it can be repeated.
func (c rawCall) do(ctx context.Context, d *objectDriver) error {
	switch {
	case c.put != nil:
		request := *c.put
		request.Body = strings.NewReader(c.text)
		_, err := d.Put(ctx, &request)
		return err
	case c.part != nil:
		request := *c.part
		request.Body = strings.NewReader(c.text)
		_, err := d.PutPart(ctx, &request)
		return err
	case c.head != nil:
		request := *c.head
		_, err := d.Head(ctx, &request)
		return err
	}

	request := *c.get
	_, body, err := d.Get(ctx, &request)
	if err != nil {
		return err
	}
	_, err = io.ReadAll(body)
	_ = body.Close()
	return err
}

// rawCalls returns calls whose requests the raw client sends. There are calls for everything that
// changes such a request.
func rawCalls() []rawCall {
	return slices.Concat(rawPuts(), rawParts(), rawReads(), rawCallsOfKeys())
}

// rawPuts returns uploads with each property, condition and option, and with each kind of size.
func rawPuts() []rawCall {
	const continueSize = 2 << 20 // from this size on, a request waits for 100 Continue
	below := strings.Repeat("x", continueSize-1)
	large := strings.Repeat("x", continueSize)
	calls := []rawCall{
		{name: "put", text: "hello", put: &driver.PutRequest{}},
		{name: "put of no bytes", text: "", put: &driver.PutRequest{}},
		{name: "put with attributes", text: "hello", put: &driver.PutRequest{Properties: allProperties()}},
		{
			name: "put create-only",
			text: "hello",
			put:  &driver.PutRequest{Condition: storage.Condition{Absent: true}},
		},
		{
			name: "put compare and swap",
			text: "hello",
			put:  &driver.PutRequest{Condition: storage.Condition{Revision: etag}},
		},
		{name: "put public", text: "hello", put: &driver.PutRequest{Controls: storage.Controls{PublicRead: true}}},
		{
			name: "put with tags",
			text: "hello",
			put:  &driver.PutRequest{Controls: storage.Controls{Tags: map[string]string{"k": "a b", "l": "=+:"}}},
		},
		{name: "put locked", text: "hello", put: &driver.PutRequest{Controls: bothLocks}},
		{name: "put smaller than what waits for 100 Continue", text: below, put: &driver.PutRequest{}},
		{name: "put that waits for 100 Continue", text: large, put: &driver.PutRequest{}},
	}
	for _, c := range calls {
		c.put.Key = "a/b"
		c.put.Size = int64(len(c.text))
		c.put.CRC32C = wiretest.CRC32C(c.text)
	}

	unchecked := &driver.PutRequest{Key: "a/b", Size: int64(len("hello"))} // without a CRC32C
	return append(calls, rawCall{name: "put unchecked", text: "hello", put: unchecked})
}

// rawParts returns uploads of parts, with and without a checksum.
func rawParts() []rawCall {
	return []rawCall{
		{
			name: "part",
			text: "hello",
			part: &driver.PartRequest{
				Key:    "a b",
				Upload: "u/+=1~",
				Number: 7,
				Size:   5,
				CRC32C: wiretest.CRC32C("hello"),
			},
		},
		{
			name: "part unchecked",
			text: "hello",
			part: &driver.PartRequest{Key: "k", Upload: "u", Number: 10_000, Size: 5, Unchecked: true},
		},
	}
}

// rawReads returns a download and a HEAD for each kind of range, condition and version.
func rawReads() []rawCall {
	requests := map[string]*driver.GetRequest{
		"":             {Key: "k", Length: -1},
		"of a range":   {Key: "k", Offset: 5, Length: 10},
		"of the end":   {Key: "k", Suffix: 15, Length: -1},
		"pinned":       {Key: "k", Length: -1, Condition: storage.Condition{Revision: etag}},
		"unless known": {Key: "k", Length: -1, Condition: storage.Condition{NotRevision: etag}},
		"of a version": {Key: "k", Length: -1, Version: "v/1+=&~"},
	}
	var calls []rawCall
	for name, request := range requests {
		calls = append(calls, rawCall{name: "get " + name, get: request}, rawCall{name: "head " + name, head: request})
	}
	return calls
}

// rawCallsOfKeys returns a download, a HEAD and an upload for each kind of key.
func rawCallsOfKeys() []rawCall {
	var calls []rawCall
	for _, key := range append(slices.Clone(keys), "/lead", "a//b", "folder/", "a%2Fb", "\\") {
		read := &driver.GetRequest{Key: key, Length: -1}
		put := &driver.PutRequest{Key: key, Size: int64(len("hello")), CRC32C: wiretest.CRC32C("hello")}
		calls = append(calls,
			rawCall{name: "get of " + key, get: read},
			rawCall{name: "head of " + key, head: read},
			rawCall{name: "put of " + key, text: "hello", put: put},
		)
	}
	return calls
}

// The raw client sends the same requests as the SDK, with each kind of profile and configuration.
func TestRawClientSendsWhatTheSDKSends(t *testing.T) {
	tests := map[string]struct {
		profile string
		change  func(*Config)
	}{
		"path style": {
			profile: "aws",
			change: func(c *Config) {
				c.PathStyle = aws.Bool(true)
			},
		},
		"a server with a path": {
			profile: "minio",
			change: func(c *Config) {
				c.Endpoint += "/store/s3/"
			},
		},
		"a session's token": {
			profile: "minio",
			change: func(c *Config) {
				c.SessionToken = "tok/en+=="
			},
		},
		"anonymous": {
			profile: "minio",
			change: func(c *Config) {
				c.AccessKeyID = ""
				c.SecretKey = ""
				c.Anonymous = true
			},
		},
		"with an unsigned Accept-Encoding": {profile: "gcs", change: func(*Config) {}},
		"with Content-MD5":                 {profile: "b2", change: func(*Config) {}},
		"with an unknown profile":          {profile: "unknown", change: func(*Config) {}},
		"a configuration of the SDK": {
			profile: "minio",
			change: func(c *Config) {
				c.AccessKeyID = ""
				c.SecretKey = ""
				c.AWS = &aws.Config{
					Region:      "eu-west-1",
					Credentials: credentials.NewStaticCredentialsProvider("own", "secret", ""),
				}
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// Each call gets this response. The Content-Range is for the calls that read a range.
			server := newStandIn(t, reply{
				Status: 206,
				Header: map[string]string{"ETag": etag, "Content-Range": "bytes 5-14/20"},
			})

			raw := server.openDriver(t, tt.profile, tt.change)
			require.True(t, usesRawClient(t, raw))
			sdk := sdkOnly(raw)
			require.False(t, usesRawClient(t, sdk))
			for _, call := range rawCalls() {
				requireSameRequest(t, server, raw, sdk, call)
			}
		})
	}
}

// requireSameRequest requires that a call sends the same request to the server by the raw client and by the SDK.
func requireSameRequest(t *testing.T, server *standIn, raw, sdk *objectDriver, call rawCall) {
	t.Helper()
	require.NoError(t, call.do(t.Context(), sdk), call.name)
	want := comparableRequest(server.Last(t))
	require.NoError(t, call.do(t.Context(), raw), call.name)
	require.Equal(t, want, comparableRequest(server.Last(t)), call.name)
}

// Over TLS, too, the raw client sends the same requests as the SDK's client.
func TestRawClientOverTLSSendsWhatTheSDKSends(t *testing.T) {
	// Each call gets this response. The Content-Range is for the calls that read a range.
	response := reply{
		Status: 206,
		Header: map[string]string{
			"ETag":           etag,
			"Content-Range":  "bytes 5-14/20",
			"Content-Length": "0",
		},
	}
	for _, profile := range []string{"aws", "b2", "unknown"} {
		t.Run(profile, func(t *testing.T) {
			// Each call is sent to this server by a driver with the raw client and by one with the SDK's client.
			server := &standIn{wiretest.NewTLSServer(t, response)}
			raw, sdk := server.openDrivers(t, profile)
			for _, call := range rawCalls() {
				requireSameRequest(t, server, raw, sdk, call)
			}
		})
	}
}

// For native options and for options of the Config, the raw client sends the same requests as the SDK's client.
func TestRawClientSendsTheOptionsThatTheSDKSends(t *testing.T) {
	const firstKey = 0 // of customerKeys
	keyID := keyARN
	tests := map[string]struct {
		change func(*Config) // sets the option of the Config; nil if there is none
		native []any         // the options of each call
	}{
		"no option":        {},
		"a customer's key": {native: []any{customerkey.New("WithCustomerKey", newRawKey(t, firstKey))}},
		"a key of KMS":     {native: []any{&option.KMSKey{Argument: "WithKMSKey", ID: &keyID, BucketKey: true}}},
		"a canned ACL":     {native: []any{option.CannedACL(types.ObjectCannedACLBucketOwnerFullControl)}},
		"a key of KMS in the Config": {change: func(c *Config) {
			c.KMSKey = keyARN
			c.BucketKey = true
		}},
		"the requester pays": {change: func(c *Config) {
			c.RequesterPays = true
		}},
		"the expected owner": {change: func(c *Config) {
			c.ExpectedBucketOwner = "123456789012"
		}},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := &standIn{wiretest.NewTLSServer(t)}
			var changes []func(*Config)
			if tt.change != nil {
				changes = append(changes, tt.change)
			}
			raw, sdk := server.openDrivers(t, "aws", changes...)

			for callName, call := range encryptedCalls() {
				// The SDK's client sends the call first, and then the raw client.
				server.Respond(withLength(call.reply))
				require.NoError(t, call.do(t.Context(), sdk, tt.native), callName)
				want := comparableRequest(server.Last(t))

				server.Respond(withLength(call.reply))
				require.NoError(t, call.do(t.Context(), raw, tt.native), callName)
				require.Equal(t, want, comparableRequest(server.Last(t)), callName)
			}
		})
	}
}

// openDrivers opens the bucket "photos" at a server with TLS twice: with the raw client, and with
// only the SDK.
func (s *standIn) openDrivers(
	t *testing.T, profile string, change ...func(*Config),
) (raw, sdk *objectDriver) {
	t.Helper()
	client := s.Client()
	sdk = s.openDriver(t, profile, append(change, func(c *Config) {
		c.HTTPClient = client
	})...)
	require.False(t, usesRawClient(t, sdk))

	// For requests that the raw client does not support, the raw driver uses the client of the SDK. It shares this
	// client with the driver that is named sdk.
	rawTransport := transport.New(transport.Options{TLS: client.Transport.(*http.Transport).TLSClientConfig})
	t.Cleanup(rawTransport.CloseIdleConnections)
	account := *s.openDriver(t, profile, change...).account
	account.rawTransport = rawTransport
	account.client = sdk.account.client
	raw = newDriver(&account, sdk.bucket.name)
	require.True(t, usesRawClient(t, raw))
	return raw, sdk
}

// In a Lambda function, a request has the trace of the invocation as an unsigned header. The raw
// client sends this header as the SDK does.
func TestRawClientSendsTheTraceInLambda(t *testing.T) {
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;" +
		"Sampled=1;Lineage=a87bd80c:1|68fd508a:5"
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "thumbnails")
	t.Setenv("_X_AMZN_TRACE_ID", trace)
	server := newStandIn(t, stored)

	_, err := server.openDriver(t, "aws").Put(t.Context(), wiretest.Put("k", "hello"))
	require.NoError(t, err)
	require.Equal(t, trace, server.Last(t).Header.Get("X-Amzn-Trace-Id"))
	require.NotContains(t, server.Last(t).Header.Get("Authorization"), "x-amzn-trace-id")
}
