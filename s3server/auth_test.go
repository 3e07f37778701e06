package s3server_test

import (
	"cmp"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// helloHash is the SHA-256 of "hello".
const helloHash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

// newSignedRequest returns a request that puts "hello" into the object k, signed with credentials. If change is not
// nil, it changes the request after it is signed.
func newSignedRequest(
	t *testing.T, s *store, credentials aws.Credentials, service, region string, date time.Time,
	change func(*http.Request),
) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.server.URL+"/"+bucket+"/k",
		strings.NewReader("hello"))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Content-Sha256", helloHash)
	r.Header.Set("Content-Type", "text/plain")
	r.Header.Set("X-Amz-Meta-A", "b c")

	signer := v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
	})
	require.NoError(t, signer.SignHTTP(t.Context(), credentials, r, helloHash, service, region, date))

	if change != nil {
		change(r)
	}
	return r
}

// The server verifies the signature in the header Authorization.
func TestSignatureInHeader(t *testing.T) {
	s := startServer(t, s3server.Config{})
	owner := aws.Credentials{
		AccessKeyID:     s3server.DefaultAccessKeyID,
		SecretAccessKey: s3server.DefaultSecretKey,
	}
	newCredentials := func(access, secret, token string) aws.Credentials {
		return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret, SessionToken: token}
	}
	replaceInAuthorization := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		}
	}
	setHeader := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set(name, value)
		}
	}

	tests := []struct {
		name       string
		signer     aws.Credentials     // by default the owner
		service    string              // by default "s3"
		region     string              // by default that of the server
		age        time.Duration       // of the signature
		change     func(*http.Request) // changes the request after it is signed
		wantStatus int
		wantCode   string
	}{
		{name: "valid", wantStatus: 200},

		// Some SDKs sign a tab as a space, and S3 does, too: https://github.com/aws/aws-sdk-net/issues/1222
		{
			name:       "valid, tab signed as a space",
			change:     setHeader("X-Amz-Meta-A", "b\t c"),
			wantStatus: 200,
		},
		{
			name:       "valid, 14 minutes old",
			age:        14 * time.Minute,
			wantStatus: 200,
		},
		{
			name:       "16 minutes old",
			age:        16 * time.Minute,
			wantStatus: 403,
			wantCode:   "RequestTimeTooSkewed",
		},
		{
			name:       "16 minutes in the future",
			age:        -16 * time.Minute,
			wantStatus: 403,
			wantCode:   "RequestTimeTooSkewed",
		},
		{
			name:       "wrong secret",
			signer:     newCredentials(owner.AccessKeyID, "x", ""),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "unknown access key",
			signer:     newCredentials("AKIAX", "x", ""),
			wantStatus: 403,
			wantCode:   "InvalidAccessKeyId",
		},
		{
			name:       "unknown session token",
			signer:     newCredentials(owner.AccessKeyID, owner.SecretAccessKey, "t"),
			wantStatus: 400,
			wantCode:   "InvalidToken",
		},
		{
			name:       "wrong region",
			region:     "eu-west-1",
			wantStatus: 400,
			wantCode:   "AuthorizationHeaderMalformed",
		},
		{
			name:       "wrong service",
			service:    "ec2",
			wantStatus: 400,
			wantCode:   "AuthorizationHeaderMalformed",
		},
		{
			name: "method changed",
			change: func(r *http.Request) {
				r.Method = "POST"
				r.URL.RawQuery = "uploads"
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name: "path changed",
			change: func(r *http.Request) {
				r.URL.Path += "2"
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name: "parameter added",
			change: func(r *http.Request) {
				r.URL.RawQuery = "x-id=PutObject"
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "signed header changed",
			change:     setHeader("X-Amz-Meta-A", "c"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "valid, more spaces in a header",
			change:     setHeader("X-Amz-Meta-A", " b   c "),
			wantStatus: 200,
		},
		{
			name:       "header of S3 added",
			change:     setHeader("X-Amz-Meta-C", "c"),
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "other header added",
			change:     setHeader("Cache-Control", "no-store"),
			wantStatus: 200,
		},
		{
			name:       "hash of another body",
			change:     setHeader("X-Amz-Content-Sha256", emptyHash),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name: "hash of the body missing",
			change: func(r *http.Request) {
				r.Header.Del("X-Amz-Content-Sha256")
			},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name: "date missing",
			change: func(r *http.Request) {
				r.Header.Del("X-Amz-Date")
			},
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "other authorization scheme",
			change:     setHeader("Authorization", "Bearer x"),
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "signature of version 2",
			change:     setHeader("Authorization", "AWS a:b"),
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "signature missing",
			change:     replaceInAuthorization("Signature=", "Sign="),
			wantStatus: 400,
			wantCode:   "AuthorizationHeaderMalformed",
		},
		{
			name:       "other day in the scope",
			change:     replaceInAuthorization("/20", "/19"),
			wantStatus: 400,
			wantCode:   "AuthorizationHeaderMalformed",
		},
		{
			name:       "wrong terminator of the scope",
			change:     replaceInAuthorization("aws4_request", "aws5_request"),
			wantStatus: 400,
			wantCode:   "AuthorizationHeaderMalformed",
		},
		{
			name: "second signature in the query",
			change: func(r *http.Request) {
				r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256"
			},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name: "not signed",
			change: func(r *http.Request) {
				r.Header.Del("Authorization")
			},
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signer := cmp.Or(tt.signer, owner)
			service := cmp.Or(tt.service, "s3")
			region := cmp.Or(tt.region, s3server.DefaultRegion)
			signedAt := time.Now().UTC().Add(-tt.age)

			response, err := s.http.Do(newSignedRequest(t, s, signer, service, region, signedAt, tt.change))
			require.NoError(t, err)
			body := readBody(t, response.Body)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)

			// Each response has an ID, which an error repeats.
			id := response.Header.Get("X-Amz-Request-Id")
			require.NotEmpty(t, id)
			if tt.wantCode != "" {
				e := parseError(t, body)
				require.Equal(t, tt.wantCode, e.Code, body)
				require.Equal(t, id, e.RequestID)
			}
		})
	}
}

// The signature of a URL for the key "a+b" must not be valid for "a b", although S3 reads a plus sign in a path as a
// space.
func TestSignatureIsForOneKey(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "a b", "secret")
	s.put(t, "a+b", "public")
	presigned, err := s3.NewPresignClient(s.Client).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("a+b"),
	})
	require.NoError(t, err)

	response, body := s.send(t, "GET", presigned.URL, nil, nil)
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "public", body)

	// Both of these paths stand for "a b".
	for _, path := range []string{"a+b", "a%20b"} {
		response, body = s.send(t, "GET", strings.Replace(presigned.URL, "a%2Bb", path, 1), nil, nil)
		require.Equal(t, 403, response.StatusCode, path)
		require.NotContains(t, body, "secret")
	}
}

// If a request is signed for a wrong region, the error names the right one.
func TestSignatureOfOtherRegion(t *testing.T) {
	s := startServer(t, s3server.Config{}, func(o *s3.Options) {
		o.Region = "eu-west-1"
	})

	_, err := s.PutObject(t.Context(), putInput("k", "x"))

	requireFailure(t, err, 400, "AuthorizationHeaderMalformed")
	require.ErrorContains(t, err, "expecting 'us-east-1'")
	require.Empty(t, s.server.Requests()[0].Query.Get("X-Amz-Signature"))
}

// Credentials with a session token do not work if a request lacks the token.
func TestSignatureNeedsSessionToken(t *testing.T) {
	const token = "token"
	temporary := s3server.Credential{
		AccessKeyID:  s3server.DefaultAccessKeyID,
		SecretKey:    s3server.DefaultSecretKey,
		SessionToken: token,
	}
	s := startServer(t, s3server.Config{Credentials: []s3server.Credential{temporary}})

	_, err := s.PutObject(t.Context(), putInput("k", "x"))
	requireFailure(t, err, 403, "InvalidAccessKeyId")

	tokenClient := s.client(func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(temporary.AccessKeyID, temporary.SecretKey, token)
	})
	_, err = tokenClient.PutObject(t.Context(), putInput("k", "x"))
	require.NoError(t, err)
}

// An upload fails and stores nothing if its body does not have the hash in the signed header X-Amz-Content-Sha256.
func TestSignatureChecksHashOfBody(t *testing.T) {
	s := startServer(t, s3server.Config{})
	owner := aws.Credentials{
		AccessKeyID:     s3server.DefaultAccessKeyID,
		SecretAccessKey: s3server.DefaultSecretKey,
	}

	// The request is signed for the body "hello", but has a body of the same length.
	r := newSignedRequest(t, s, owner, "s3", "us-east-1", time.Now(), nil)
	r.Body = io.NopCloser(strings.NewReader("jello"))

	response, err := s.http.Do(r)
	require.NoError(t, err)

	require.Equal(t, "XAmzContentSHA256Mismatch", parseError(t, readBody(t, response.Body)).Code)
	require.Empty(t, s.keys(t))
}

// The server verifies the signature of a presigned URL for a PUT of 5 bytes, and how long the URL is valid.
func TestPresignedURL(t *testing.T) {
	type change = func(query url.Values, r *http.Request)
	setParameter := func(name, value string) change {
		return func(query url.Values, _ *http.Request) {
			query.Set(name, value)
		}
	}
	tests := []struct {
		name       string
		ttl        time.Duration // for which the URL is signed
		age        time.Duration // of the URL when it is used
		change     change        // of the request after it is signed
		wantStatus int
		wantCode   string
	}{
		{name: "valid", ttl: time.Minute, wantStatus: 200},
		{name: "valid for another minute", ttl: time.Hour, age: 59 * time.Minute, wantStatus: 200},
		{
			name:       "expired",
			ttl:        time.Minute,
			age:        2 * time.Minute,
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "from the future",
			ttl:        time.Minute,
			age:        -16 * time.Minute,
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{name: "signed for seven days", ttl: 7 * 24 * time.Hour, age: 6 * 24 * time.Hour, wantStatus: 200},
		{
			name:       "signed for more than seven days",
			ttl:        7*24*time.Hour + time.Second,
			wantStatus: 400,
			wantCode:   "AuthorizationQueryParametersError",
		},
		{
			name:       "time of validity changed",
			ttl:        time.Minute,
			age:        2 * time.Minute,
			change:     setParameter("X-Amz-Expires", "3600"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "time of validity is no number",
			ttl:        time.Minute,
			change:     setParameter("X-Amz-Expires", "x"),
			wantStatus: 400,
			wantCode:   "AuthorizationQueryParametersError",
		},
		{
			name:       "signature missing",
			ttl:        time.Minute,
			change:     setParameter("X-Amz-Signature", ""),
			wantStatus: 400,
			wantCode:   "AuthorizationQueryParametersError",
		},
		{
			name: "content type changed",
			ttl:  time.Minute,
			change: func(_ url.Values, r *http.Request) {
				r.Header.Set("Content-Type", "image/png")
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name: "length changed",
			ttl:  time.Minute,
			change: func(_ url.Values, r *http.Request) {
				*r = *withBody(r, "hello!")
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name: "metadata added",
			ttl:  time.Minute,
			change: func(_ url.Values, r *http.Request) {
				r.Header.Set("X-Amz-Meta-A", "b")
			},
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name: "method changed",
			ttl:  time.Minute,
			change: func(_ url.Values, r *http.Request) {
				r.Method = "DELETE"
				*r = *withBody(r, "")
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name: "condition removed",
			ttl:  time.Minute,
			change: func(_ url.Values, r *http.Request) {
				r.Header.Del("If-None-Match")
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			input := putInput("a b+c", "")
			input.ContentType = aws.String("text/plain")
			input.ContentLength = aws.Int64(5)
			input.IfNoneMatch = aws.String("*")
			input.Body = nil
			presigned, err := s3.NewPresignClient(s.Client,
				s3.WithPresignExpires(tt.ttl)).PresignPutObject(t.Context(), input)
			require.NoError(t, err)
			s.clock.move(tt.age)

			// Send the request with the signed headers and a body.
			r, err := http.NewRequestWithContext(t.Context(), presigned.Method, presigned.URL, nil)
			require.NoError(t, err)
			r = withBody(r, "hello")
			for name, values := range presigned.SignedHeader {
				if name != "Host" && name != "Content-Length" {
					r.Header[name] = values
				}
			}

			// Change the request, if the case has a change.
			if tt.change != nil {
				query := r.URL.Query()
				tt.change(query, r)
				r.URL.RawQuery = query.Encode()
			}

			response, err := s.http.Do(r)
			require.NoError(t, err)
			body := readBody(t, response.Body)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			if tt.wantCode != "" {
				require.Equal(t, tt.wantCode, parseError(t, body).Code)
			}
		})
	}
}

// Instead of a signed header, a client may send a parameter of the presigned URL. The AWS SDK for JavaScript does so:
// https://github.com/aws/aws-sdk-js-v3/issues/5414, https://github.com/minio/minio/pull/7674.
func TestPresignedURLHeaderAsParameter(t *testing.T) {
	const signedValue = "b  c" // of the header and of the parameter
	tests := []struct {
		name              string
		header, parameter string // what the client sends, if not empty
		wantStatus        int
	}{
		{name: "the parameter only", parameter: signedValue, wantStatus: 200},
		{name: "both", header: signedValue, parameter: signedValue, wantStatus: 200},
		{name: "neither", wantStatus: 403},
		{name: "another header", header: "other", parameter: signedValue, wantStatus: 403},
		{name: "another parameter", parameter: "other", wantStatus: 403},
		{name: "the header only", header: signedValue, wantStatus: 403},
		{name: "the header, another parameter", header: signedValue, parameter: "other", wantStatus: 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})

			// The signature covers the header and the parameter.
			target := s.server.URL + "/" + bucket + "/k?X-Amz-Expires=60"
			r, err := http.NewRequestWithContext(t.Context(), "PUT", target+"&x-amz-meta-a=b++c", nil)
			require.NoError(t, err)
			r.Header.Set("X-Amz-Meta-A", signedValue)
			owner := aws.Credentials{
				AccessKeyID:     s3server.DefaultAccessKeyID,
				SecretAccessKey: s3server.DefaultSecretKey,
			}
			signer := v4.NewSigner(func(o *v4.SignerOptions) {
				o.DisableURIPathEscaping = true
				o.DisableHeaderHoisting = true
			})
			signedURL, _, err := signer.PresignHTTP(t.Context(), owner, r, "UNSIGNED-PAYLOAD", "s3",
				"us-east-1", time.Now().UTC())
			require.NoError(t, err)

			// The client sends the header and the parameter only if the case has them.
			req, err := http.NewRequestWithContext(t.Context(), "PUT", signedURL, nil)
			require.NoError(t, err)
			query := req.URL.Query()
			require.Equal(t, "host;x-amz-meta-a", query.Get("X-Amz-SignedHeaders"))
			query.Del("x-amz-meta-a")
			if tt.parameter != "" {
				query.Set("x-amz-meta-a", tt.parameter)
			}
			req.URL.RawQuery = query.Encode()
			if tt.header != "" {
				req.Header.Set("X-Amz-Meta-A", tt.header)
			}

			response, err := s.http.Do(req)
			require.NoError(t, err)
			require.Equal(t, tt.wantStatus, response.StatusCode, readBody(t, response.Body))

			// An accepted request stores the value as metadata.
			if tt.wantStatus == http.StatusOK {
				output, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
					Bucket: aws.String(bucket),
					Key:    aws.String("k"),
				})
				require.NoError(t, err)
				require.Equal(t, signedValue, output.Metadata["a"])
			}
		})
	}
}

// withBody is r with that body and its length.
func withBody(r *http.Request, body string) *http.Request {
	second, _ := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), strings.NewReader(body))
	second.Header = r.Header
	return second
}

// A client may send the bucket's name in the host instead of the path.
func TestBucketInHost(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")

	// Without PathStyle, the client sends to the host photos.localhost.
	bucketClient := s.client(func(o *s3.Options) {
		o.UsePathStyle = false
		o.BaseEndpoint = aws.String(strings.Replace(s.server.URL, "127.0.0.1", "localhost", 1))
		o.HTTPClient = &http.Client{Transport: newDialingTransport(t, s)}
	})
	output, err := bucketClient.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, "content", readBody(t, output.Body))

	// The path of the request is only the key.
	requests := s.server.Requests()
	latest := requests[len(requests)-1]
	require.True(t, strings.HasPrefix(latest.Host, bucket+".localhost:"), latest.Host)
	require.Equal(t, "/k", latest.Path)
}
