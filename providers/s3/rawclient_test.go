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

// comparableRequest returns a request without the headers that describe the client, without the time,
// and without the signature, which depends on both.
func comparableRequest(r wiretest.Request) wiretest.Request {
	r.Header = maps.Clone(r.Header)
	for _, name := range []string{"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "User-Agent", "X-Amz-Date"} {
		r.Header.Del(name)
	}

	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		return r
	}
	// "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…"
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

// rawCalls returns calls whose requests the raw client sends, with everything that changes those
// requests.
func rawCalls() map[string]func(ctx context.Context, d *objectDriver) error {
	calls := map[string]func(ctx context.Context, d *objectDriver) error{}
	addPut := func(name string, change func(*driver.PutRequest)) {
		calls["put "+name] = func(ctx context.Context, d *objectDriver) error {
			r := wiretest.Put("a/b", "hello")
			change(r)
			_, err := d.Put(ctx, r)
			return err
		}
	}
	addPut("", func(*driver.PutRequest) {})
	addPut("of no bytes", func(r *driver.PutRequest) {
		*r = *wiretest.Put("a/b", "")
	})
	addPut("with attributes", func(r *driver.PutRequest) {
		r.Properties = allProperties()
	})
	addPut("create-only", func(r *driver.PutRequest) {
		r.Condition.Absent = true
	})
	addPut("compare and swap", func(r *driver.PutRequest) {
		r.Condition.Revision = etag
	})
	addPut("public", func(r *driver.PutRequest) {
		r.PublicRead = true
	})
	addPut("with tags", func(r *driver.PutRequest) {
		r.Tags = map[string]string{"k": "a b", "l": "=+:"}
	})
	addPut("locked", func(r *driver.PutRequest) {
		r.Controls = bothLocks
	})
	addPut("unchecked", func(r *driver.PutRequest) {
		r.CRC32C = storage.CRC32C{}
	})
	addPut("smaller than what waits for 100 Continue", func(r *driver.PutRequest) {
		*r = *wiretest.Put("a/b", strings.Repeat("x", 2<<20-1))
	})
	addPut("that waits for 100 Continue", func(r *driver.PutRequest) {
		*r = *wiretest.Put("a/b", strings.Repeat("x", 2<<20))
	})

	addGet := func(name string, r driver.GetRequest) {
		calls["get "+name] = func(ctx context.Context, d *objectDriver) error {
			r := r
			_, body, err := d.Get(ctx, &r)
			if err == nil {
				_, err = io.ReadAll(body)
				_ = body.Close()
			}
			return err
		}
		calls["head "+name] = func(ctx context.Context, d *objectDriver) error {
			r := r
			_, err := d.Head(ctx, &r)
			return err
		}
	}
	addGet("", driver.GetRequest{Key: "k", Length: -1})
	addGet("of a range", driver.GetRequest{Key: "k", Offset: 5, Length: 10})
	addGet("of the end", driver.GetRequest{Key: "k", Suffix: 15, Length: -1})
	addGet("pinned", driver.GetRequest{Key: "k", Length: -1, Condition: storage.Condition{Revision: etag}})
	addGet("unless known", driver.GetRequest{
		Key:       "k",
		Length:    -1,
		Condition: storage.Condition{NotRevision: etag},
	})
	addGet("of a version", driver.GetRequest{Key: "k", Length: -1, Version: "v/1+=&~"})
	for _, key := range append(slices.Clone(keys), "/lead", "a//b", "folder/", "a%2Fb", "\\") {
		addGet("of "+key, driver.GetRequest{Key: key, Length: -1})
		addPut("of "+key, func(r *driver.PutRequest) {
			r.Key = key
		})
	}
	addPart := func(name string, r driver.PartRequest) {
		calls["part "+name] = func(ctx context.Context, d *objectDriver) error {
			r := r
			r.Body = strings.NewReader("hello")
			_, err := d.PutPart(ctx, &r)
			return err
		}
	}
	addPart("", driver.PartRequest{
		Key:    "a b",
		Upload: "u/+=1~",
		Number: 7,
		Size:   5,
		CRC32C: wiretest.CRC32C("hello"),
	})
	addPart("unchecked", driver.PartRequest{Key: "k", Upload: "u", Number: 10_000, Size: 5, Unchecked: true})
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
			server := newStandIn(t, reply{
				Status: 206,
				Header: map[string]string{"ETag": etag, "Content-Range": "bytes 5-14/20"},
			})

			raw := server.openDriver(t, tt.profile, tt.change)
			require.True(t, usesRawClient(t, raw))
			sdk := sdkOnly(raw)
			require.False(t, usesRawClient(t, sdk))
			for name, do := range rawCalls() {
				requireSameRequest(t, server, name, raw, sdk, do)
			}
		})
	}
}

// requireSameRequest requires that a call sends the same request by the raw client and by the SDK.
func requireSameRequest(
	t *testing.T, server *standIn, name string, raw, sdk *objectDriver,
	do func(ctx context.Context, d *objectDriver) error,
) {
	t.Helper()
	require.NoError(t, do(t.Context(), sdk), name)
	want := comparableRequest(server.Last(t))
	require.NoError(t, do(t.Context(), raw), name)
	require.Equal(t, want, comparableRequest(server.Last(t)), name)
}

// Over TLS, too, the raw client sends the same requests as the SDK's client.
func TestRawClientOverTLSSendsWhatTheSDKSends(t *testing.T) {
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
			for name, do := range rawCalls() {
				requireSameRequest(t, server, name, raw, sdk, do)
			}
		})
	}
}

// For native options and for options of the Config, the raw client sends the same requests as the SDK's client.
func TestRawClientSendsTheOptionsThatTheSDKSends(t *testing.T) {
	keyID := keyARN
	tests := map[string]struct {
		change func(*Config) // sets the option of the Config; nil if there is none
		native []any         // the options of each call
	}{
		"no option":        {},
		"a customer's key": {native: []any{customerkey.New("WithCustomerKey", newRawKey(t, 0))}},
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

// openDrivers opens the bucket "photos" at a server with TLS: with the raw client, and with the SDK only.
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

// In a Lambda function, a request of the raw client has the trace of the invocation as an unsigned
// header, like one of the SDK.
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
