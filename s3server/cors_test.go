package s3server_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// A preflight succeeds if a CORS rule of the bucket allows the origin, the method and the headers of the request.
func TestCORS(t *testing.T) {
	s := startServer(t, s3server.Config{})
	require.NoError(t, s.setCORS(t, types.CORSRule{
		AllowedOrigins: []string{"https://*.example.com"},
		AllowedMethods: []string{"GET", "PUT"},
		AllowedHeaders: []string{"content-type", "x-amz-*"},
		MaxAgeSeconds:  aws.Int32(60),
	}))
	tests := []struct {
		name       string
		origin     string
		method     string
		headers    string
		wantStatus int
	}{
		{
			name:       "allowed",
			origin:     "https://app.example.com",
			method:     "PUT",
			headers:    "Content-Type, X-Amz-Meta-A",
			wantStatus: 200,
		},
		{name: "other origin", origin: "https://example.org", method: "PUT", wantStatus: 403},
		{name: "other method", origin: "https://app.example.com", method: "DELETE", wantStatus: 403},
		{
			name:       "other header",
			origin:     "https://app.example.com",
			method:     "PUT",
			headers:    "x-other",
			wantStatus: 403,
		},
		{name: "origin missing", method: "PUT", wantStatus: 400},
		{name: "method missing", origin: "https://app.example.com", wantStatus: 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{
				"Access-Control-Request-Method":  {tt.method},
				"Access-Control-Request-Headers": {tt.headers},
			}
			if tt.origin != "" {
				header.Set("Origin", tt.origin)
			}
			response, _ := s.send(t, "OPTIONS", s.server.URL+"/"+bucket+"/k", nil, header)
			require.Equal(t, tt.wantStatus, response.StatusCode)
			if tt.wantStatus != 200 {
				return
			}
			require.Equal(t, tt.origin, response.Header.Get("Access-Control-Allow-Origin"))
			require.Equal(t, "GET, PUT", response.Header.Get("Access-Control-Allow-Methods"))
			require.Equal(t, "content-type, x-amz-meta-a", response.Header.Get("Access-Control-Allow-Headers"))
			require.Equal(t, "60", response.Header.Get("Access-Control-Max-Age"))
		})
	}
}

// The server stores, returns and deletes CORS rules, and refuses invalid ones.
func TestCORSRules(t *testing.T) {
	s := startServer(t, s3server.Config{})
	getRules := func() (*s3.GetBucketCorsOutput, error) {
		return s.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: aws.String(bucket)})
	}
	valid := corsRule()
	otherMethod := types.CORSRule{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"PATCH"}}
	twoStars := types.CORSRule{AllowedOrigins: []string{"*.*"}, AllowedMethods: []string{"GET"}}

	// A new bucket has no rules.
	_, err := getRules()
	requireFailure(t, err, 404, "NoSuchCORSConfiguration")

	// The refused rules do not replace the valid one.
	require.NoError(t, s.setCORS(t, valid))
	requireFailure(t, s.setCORS(t, otherMethod), 400, "InvalidRequest")
	requireFailure(t, s.setCORS(t, twoStars), 400, "InvalidRequest")
	got, err := getRules()
	require.NoError(t, err)
	require.Equal(t, []types.CORSRule{valid}, got.CORSRules)

	_, err = s.DeleteBucketCors(t.Context(), &s3.DeleteBucketCorsInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = getRules()
	requireFailure(t, err, 404, "NoSuchCORSConfiguration")
}

// corsRule returns a rule that lets pages of example.com read and write.
func corsRule() types.CORSRule {
	return types.CORSRule{
		AllowedOrigins: []string{"https://*.example.com"},
		AllowedMethods: []string{"GET", "PUT"},
		AllowedHeaders: []string{"content-type", "x-amz-*"},
		ExposeHeaders:  []string{"ETag"},
		MaxAgeSeconds:  aws.Int32(60),
	}
}

// setCORS sets the CORS rules of the bucket.
func (s *store) setCORS(t *testing.T, rules ...types.CORSRule) error {
	t.Helper()
	_, err := s.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{
		Bucket:            aws.String(bucket),
		CORSConfiguration: &types.CORSConfiguration{CORSRules: rules},
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
	})
	return err
}

// The error of a refused preflight says why no CORS rule allows the request.
func TestCORSRefusalNamesCause(t *testing.T) {
	s := startServer(t, s3server.Config{})
	refusalOf := func(path string) apiError {
		response, body := s.send(t, "OPTIONS", s.server.URL+path, nil, http.Header{
			"Origin":                        {"https://example.org"},
			"Access-Control-Request-Method": {"PUT"},
		})
		require.Equal(t, 403, response.StatusCode)
		return parseError(t, body)
	}

	require.Equal(t, "CORSResponse: CORS is not enabled for this bucket.", refusalOf("/photos/k").Message)
	require.Equal(t, "CORSResponse: Bucket not found", refusalOf("/missing/k").Message)

	// The rule is about another origin.
	require.NoError(t, s.setCORS(t, corsRule()))
	refusal := refusalOf("/photos/k")
	require.Equal(t, "AccessForbidden", refusal.Code)
	require.Contains(t, refusal.Message, "CORSResponse: This CORS request is not allowed.")
}

// Even an error response has the headers of the CORS rule, because the page must be able to read
// the error. Without rules, the response has none of these headers.
func TestCORSHeadersOfError(t *testing.T) {
	s := startServer(t, s3server.Config{})
	getFromPage := func() http.Header {
		response, _ := s.send(t, "GET", s.server.URL+"/"+bucket+"/k", nil, http.Header{
			"Origin": {"https://app.example.com"},
		})
		require.Equal(t, 403, response.StatusCode, "the request is not signed")
		return response.Header
	}

	require.NoError(t, s.setCORS(t, corsRule()))
	header := getFromPage()
	require.Equal(t, "https://app.example.com", header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "ETag", header.Get("Access-Control-Expose-Headers"))

	_, err := s.DeleteBucketCors(t.Context(), &s3.DeleteBucketCorsInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Empty(t, getFromPage().Get("Access-Control-Allow-Origin"))
}

// S3 chooses the CORS rule by the header Access-Control-Request-Method even if the request is not a
// preflight. The tests of minio-go show this.
func TestCORSOfEachRequest(t *testing.T) {
	s := startServer(t, s3server.Config{})
	rule := types.CORSRule{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{"PUT"},
		AllowedHeaders: []string{"x-known"},
	}
	_, err := s.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{
		Bucket:            aws.String(bucket),
		CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{rule}},
	})
	require.NoError(t, err)

	tests := []struct {
		name           string
		method         string
		requestMethod  string // the header Access-Control-Request-Method
		requestHeaders string // the header Access-Control-Request-Headers
		want           string // the header Access-Control-Allow-Origin of the response
	}{
		{name: "allowed method", method: "PUT", want: "*"},
		{name: "other method", method: "GET"},
		{name: "allowed request method", method: "GET", requestMethod: "PUT", want: "*"},
		{name: "other request method", method: "PUT", requestMethod: "GET"},
		{name: "allowed header", method: "GET", requestMethod: "PUT", requestHeaders: "X-Known", want: "*"},
		{name: "other header", method: "GET", requestMethod: "PUT", requestHeaders: "X-Other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{"Origin": {"https://example.com"}}
			if tt.requestMethod != "" {
				header.Set("Access-Control-Request-Method", tt.requestMethod)
			}
			if tt.requestHeaders != "" {
				header.Set("Access-Control-Request-Headers", tt.requestHeaders)
			}

			response, _ := s.send(t, tt.method, s.server.URL+"/"+bucket+"/k", nil, header)

			require.Equal(t, tt.want, response.Header.Get("Access-Control-Allow-Origin"))
		})
	}
}
