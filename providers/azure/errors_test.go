package azure

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

func TestErrorCodes(t *testing.T) {
	tests := map[string]struct {
		status int
		code   storage.Code
		again  bool
	}{
		"BlobNotFound":                    {404, storage.ObjectNotFound, false},
		"ContainerNotFound":               {404, storage.BucketNotFound, false},
		"ContainerBeingDeleted":           {409, storage.BucketNotFound, false},
		"ContainerAlreadyExists":          {409, storage.BucketExists, false},
		"ConditionNotMet":                 {412, storage.PreconditionFailed, false},
		"SourceConditionNotMet":           {412, storage.Changed, false},
		"InvalidRange":                    {416, storage.RangeNotSatisfiable, false},
		"InvalidMetadata":                 {400, storage.InvalidArgument, false},
		"AuthenticationFailed":            {403, storage.Unauthenticated, false},
		"NoAuthenticationInformation":     {401, storage.Unauthenticated, false},
		"AuthorizationFailure":            {403, storage.PermissionDenied, false},
		"AuthorizationPermissionMismatch": {403, storage.PermissionDenied, false},
		"PublicAccessNotPermitted":        {409, storage.PermissionDenied, false},
		"ServerBusy":                      {503, storage.RateLimited, true},
		"InternalError":                   {500, storage.Unavailable, true},
		"OperationTimedOut":               {500, storage.Unavailable, true},
		"AccountBeingCreated":             {409, storage.Unavailable, true},
		"RequestBodyTooLarge":             {413, storage.TooLarge, false},
		"Md5Mismatch":                     {400, storage.ChecksumMismatch, false},
		"BlobArchived":                    {409, storage.Archived, false},
		"LeaseIdMissing":                  {412, storage.Locked, false},
		"UnsupportedHeader":               {400, storage.Unsupported, false},
		"FeatureVersionMismatch":          {409, storage.Unsupported, false},
		"SomethingThatNobodyKnows":        {409, storage.Internal, false},
		"SomethingElseThatNobodyKnows":    {400, storage.InvalidArgument, false},
	}
	for code, tt := range tests {
		t.Run(code, func(t *testing.T) {
			s := newScript(t, refusing(tt.status, code))
			_, err := s.driver(t).Put(t.Context(), wiretest.Put("a", ""))

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			if tt.code == storage.ObjectNotFound {
				tt.code = storage.BucketNotFound // for a write, only the container can be missing
			}
			require.Equal(t, tt.code, e.Code)
			require.Equal(t, tt.again, e.Retryable)
			require.Equal(t, tt.status, e.Status)
			require.Equal(t, "R1", e.RequestID)
			require.Equal(t, code+": What went wrong.", e.Err.Error())

			var answer *azcore.ResponseError
			require.ErrorAs(t, err, &answer)
			require.Equal(t, code, answer.ErrorCode)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	tests := map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"seconds":      {map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"milliseconds": {map[string]string{"X-Ms-Retry-After-Ms": "250", "Retry-After": "7"}, 250 * time.Millisecond},
		"a date":       {map[string]string{"Retry-After": "Fri, 20 Nov 2026 12:00:09 GMT", "Date": aTime}, 9 * time.Second},
		"a date past":  {map[string]string{"Retry-After": aTime, "Date": "Fri, 20 Nov 2026 12:00:09 GMT"}, 0},
		"nonsense":     {map[string]string{"Retry-After": "soon"}, 0},
		"nothing":      {nil, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			for name, value := range tt.header {
				h.Set(name, value)
			}
			require.Equal(t, tt.want, retryAfter(h))
		})
	}

	s := newScript(t, said{Status: 503, Header: map[string]string{"X-Ms-Error-Code": "ServerBusy", "Retry-After": "7"}})
	_, err := s.driver(t).Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 7*time.Second, e.RetryAfter)
}

// If a signature is wrong, Azure's response contains the right one. No error of the driver shows it.
func TestErrorsContainNoSignature(t *testing.T) {
	const secret = "c2VjcmV0c2lnbmF0dXJl"
	refusal := refusing(403, "AuthenticationFailed")
	refusal.Body = `<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.` + "\n" + `RequestId:R1</Message>` +
		`<AuthenticationErrorDetail>The MAC signature found in the HTTP request '` + secret + `' is not the same as any computed signature.</AuthenticationErrorDetail></Error>`
	withSAS := func(c *Config) {
		c.SASToken = "sv=2026&sig=" + secret
	}

	for name, answer := range map[string]said{"an answer": refusal, "a connection that is cut": {Cut: true}} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, answer)
			d := s.driver(t, withSAS)

			_, err := d.Put(t.Context(), wiretest.Put("a", "hello"))
			require.Error(t, err)
			require.NotContains(t, err.Error(), secret)
			require.NotContains(t, engine.New(d).Remove(t.Context(), "a").Error(), secret)

			for inner := err; inner != nil; inner = errors.Unwrap(inner) {
				if _, sdks := inner.(*azcore.ResponseError); !sdks { // the SDK's own text may contain it
					require.NotContains(t, inner.Error(), secret)
				}
			}
			require.Equal(t, "sig="+secret+"&sv=2026", s.server.Last(t).RawQuery)
		})
	}
}

func TestErrorsWithoutAResponse(t *testing.T) {
	closed := newScript(t)
	closed.server.Close()

	tests := map[string]struct {
		err     error
		want    storage.Code
		again   bool
		unknown bool
	}{
		"no such account":  {err: &net.DNSError{IsNotFound: true}, want: storage.Unavailable, again: true},
		"a caller's end":   {err: context.Canceled, want: storage.Canceled},
		"a caller's time":  {err: context.DeadlineExceeded, want: storage.DeadlineExceeded},
		"an unknown error": {err: errors.New("what?"), want: storage.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := translate(tt.err)
			require.Equal(t, tt.want, e.Code)
			require.Equal(t, tt.again, e.Retryable)
		})
	}

	d := closed.driver(t)
	_, err := d.Put(t.Context(), wiretest.Put("a", "hello"))
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.True(t, e.Retryable)
	require.False(t, e.Unknown, "no server listens there")
}

type noToken struct{ err error }

func (n noToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, n.err
}

func TestTokenErrors(t *testing.T) {
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Account: "acme", Credential: noToken{errors.New("the credential has none")}})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, d.Close())
	}()
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})

	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unauthenticated, e.Code)
	require.ErrorContains(t, err, "the credential has none")
	require.NotEmpty(t, e.Hint)
	require.False(t, e.Retryable)

	_, err = d.Put(t.Context(), wiretest.Put("a", "x"))
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unauthenticated, e.Code)
	require.False(t, e.Unknown, "nothing was sent")
}

// If the emulator is too old for the API version, the error has a hint.
func TestEmulatorTooOldHint(t *testing.T) {
	old := refusing(400, "InvalidHeaderValue")
	for server, want := range map[string]string{"Azurite-Blob/3.36.0": emulatorHint, "Windows-Azure-Blob/1.0": ""} {
		old.Header["Server"] = server
		d := newScript(t, old).driver(t)
		_, err := d.Put(t.Context(), wiretest.Put("a", ""))
		_, ofHead := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1}) // whose response has no body

		for i, err := range []error{err, ofHead} {
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.InvalidArgument, e.Code)
			if i == 1 && want == "" {
				require.Equal(t, versionHint, e.Hint, "it does not name the header")
				continue
			}
			require.Equal(t, want, e.Hint, server)
		}
	}
}

// If Azurite refuses another header than x-ms-version, the error does not say that Azurite is too old.
func TestEmulatorRefusesAnotherHeader(t *testing.T) {
	refusal := refusing(400, "InvalidHeaderValue")
	refusal.Header["Server"] = "Azurite-Blob/3.36.0"
	for header, want := range map[string]string{"x-ms-access-tier": "", "x-ms-version": emulatorHint} {
		refusal.Body = strings.Replace(refusing(400, "InvalidHeaderValue").Body, "</Error>", "<HeaderName>"+header+"</HeaderName></Error>", 1)
		_, err := newScript(t, refusal).driver(t).Put(t.Context(), wiretest.Put("a", ""))
		var e *storage.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, want, e.Hint, header)
	}
}

// A call is retryable if the identity service failed temporarily, and not if it refused.
func TestIdentityServiceErrorsTemporary(t *testing.T) {
	answered := func(status int) error {
		return &azidentity.AuthenticationFailedError{RawResponse: &http.Response{
			StatusCode: status,
			Body:       http.NoBody,
			Request:    httptest.NewRequest(http.MethodGet, "http://169.254.169.254/metadata", nil),
		}}
	}
	tests := []struct {
		name string
		err  error
		want storage.Code
	}{
		{"an internal error", answered(http.StatusInternalServerError), storage.Unavailable},
		{"too many requests", answered(http.StatusTooManyRequests), storage.Unavailable},
		{"a metadata service that starts", answered(http.StatusNotFound), storage.Unavailable},
		{"a metadata service that is updated", answered(http.StatusGone), storage.Unavailable},
		{"no route to it", &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, storage.Unavailable},
		{"a refusal", answered(http.StatusForbidden), storage.Unauthenticated},
		{"an unknown client", answered(http.StatusBadRequest), storage.Unauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Open(t.Context(), Config{Bucket: "photos", Account: "acme", Credential: noToken{tt.err}}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()
			_, err = b.Attrs(t.Context(), "k")

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code)
			require.Equal(t, tt.want == storage.Unavailable, e.Retryable)
			require.False(t, e.Unknown)
		})
	}
}

// If Azure refuses a key for its characters, the call fails with InvalidArgument and a hint.
// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
// https://github.com/Azure/azure-storage-azcopy/issues/2421,
// https://github.com/Azure/azure-storage-node/issues/385.
func TestKeysThatAzureRefuses(t *testing.T) {
	refusal := said{
		Status: http.StatusBadRequest,
		Body:   `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN"><HTML><BODY><h2>Bad Request - Invalid URL</h2></BODY></HTML>`,
		Header: map[string]string{"Content-Type": "text/html; charset=us-ascii", "Server": "Microsoft-HTTPAPI/2.0", requestIDHeader: "", "ETag": ""},
	}
	for _, key := range []string{"a\u0081", "a\uF003", "a\uFFFD"} {
		b := engine.New(newScript(t, refusal).driver(t))
		_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.Equal(t, charactersHint, asError(err).Hint)
		_, err = b.Attrs(t.Context(), key)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.Equal(t, charactersHint, asError(err).Hint)
	}
}

// With an old Config.APIVersion, parts and objects of one request have smaller limits.
// https://learn.microsoft.com/azure/storage/blobs/scalability-targets.
func TestDescribeOldServiceLimits(t *testing.T) {
	old := newScript(t).driver(t, func(c *Config) {
		c.APIVersion = "2019-07-07"
	})
	require.EqualValues(t, 100<<20, old.Describe().MaxPartSize)
	require.EqualValues(t, 256<<20, old.Describe().MaxPutSize)
	require.EqualValues(t, 100<<20, old.copier.blockSize())
	require.Zero(t, old.Describe().MaxBatch, "batches of a container came later")

	recent := newScript(t).driver(t, func(c *Config) {
		c.APIVersion = largeBlocksVersion
	})
	require.EqualValues(t, 4000<<20, recent.Describe().MaxPartSize)
	require.EqualValues(t, 256<<20, recent.copier.blockSize())
}

// Without WithStorageClass, Put sends no tier and returns none: a new object gets the tier of the one that it
// replaces. https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview.
func TestPutWithoutStorageClass(t *testing.T) {
	for class, tier := range map[string]string{"": "", "Cool": "Cool"} {
		s := newScript(t, created)
		r := wiretest.Put("a", "x")
		r.StorageClass = class
		attrs, err := s.driver(t).Put(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, class, attrs.StorageClass)
		require.Equal(t, tier, s.server.Last(t).Header.Get("X-Ms-Access-Tier"))
	}
}
