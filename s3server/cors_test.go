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

// Preflights and responses follow the bucket's CORS rules.
func TestCORS(t *testing.T) {
	s := startServer(t, s3server.Config{})
	get := func() (*s3.GetBucketCorsOutput, error) {
		return s.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: aws.String(bucket)})
	}
	put := func(rules ...types.CORSRule) error {
		_, err := s.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{
			Bucket:            aws.String(bucket),
			CORSConfiguration: &types.CORSConfiguration{CORSRules: rules},
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		})
		return err
	}

	_, err := get()
	requireFailure(t, err, 404, "NoSuchCORSConfiguration")
	refusal := func(path string) apiError {
		response, body := s.send(t, "OPTIONS", s.server.URL+path, nil, http.Header{
			"Origin":                        {"https://example.org"},
			"Access-Control-Request-Method": {"PUT"},
		})
		require.Equal(t, 403, response.StatusCode)
		return parseError(t, body)
	}
	require.Equal(t, "CORSResponse: CORS is not enabled for this bucket.", refusal("/photos/k").Message)
	require.Equal(t, "CORSResponse: Bucket not found", refusal("/missing/k").Message)

	rule := types.CORSRule{
		AllowedOrigins: []string{"https://*.example.com"},
		AllowedMethods: []string{"GET", "PUT"},
		AllowedHeaders: []string{"content-type", "x-amz-*"},
		ExposeHeaders:  []string{"ETag"},
		MaxAgeSeconds:  aws.Int32(60),
	}
	require.NoError(t, put(rule))
	got, err := get()
	require.NoError(t, err)
	require.Equal(t, []types.CORSRule{rule}, got.CORSRules)
	require.Equal(t, "AccessForbidden", refusal("/photos/k").Code)
	require.Contains(t, refusal("/photos/k").Message, "CORSResponse: This CORS request is not allowed.")
	requireFailure(t, put(types.CORSRule{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{"PATCH"},
	}), 400, "InvalidRequest")
	requireFailure(t, put(types.CORSRule{
		AllowedOrigins: []string{"*.*"},
		AllowedMethods: []string{"GET"},
	}), 400, "InvalidRequest")

	tests := []struct {
		name                    string
		origin, method, headers string
		status                  int
	}{
		{
			name:    "allowed",
			origin:  "https://app.example.com",
			method:  "PUT",
			headers: "Content-Type, X-Amz-Meta-A",
			status:  200,
		},
		{name: "another origin", origin: "https://example.org", method: "PUT", status: 403},
		{name: "another method", origin: "https://app.example.com", method: "DELETE", status: 403},
		{
			name:    "another header",
			origin:  "https://app.example.com",
			method:  "PUT",
			headers: "x-other",
			status:  403,
		},
		{name: "no origin", method: "PUT", status: 400},
		{name: "no method", origin: "https://app.example.com", status: 400},
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
			require.Equal(t, tt.status, response.StatusCode)
			if tt.status == 200 {
				require.Equal(t, tt.origin, response.Header.Get("Access-Control-Allow-Origin"))
				require.Equal(t, "GET, PUT", response.Header.Get("Access-Control-Allow-Methods"))
				require.Equal(t, "content-type, x-amz-meta-a",
					response.Header.Get("Access-Control-Allow-Headers"))
				require.Equal(t, "60", response.Header.Get("Access-Control-Max-Age"))
			}
		})
	}

	response, _ := s.send(t, "GET", s.server.URL+"/"+bucket+"/k", nil, http.Header{
		"Origin": {"https://app.example.com"},
	})
	require.Equal(t, 403, response.StatusCode)
	require.Equal(t, "https://app.example.com", response.Header.Get("Access-Control-Allow-Origin"),
		"the page may read the error")
	require.Equal(t, "ETag", response.Header.Get("Access-Control-Expose-Headers"))

	_, err = s.DeleteBucketCors(t.Context(), &s3.DeleteBucketCorsInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	response, _ = s.send(t, "GET", s.server.URL+"/"+bucket+"/k", nil, http.Header{
		"Origin": {"https://app.example.com"},
	})
	require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
}

// S3 chooses the CORS rule by the header Access-Control-Request-Method also if the request is not a preflight, as
// minio-go's tests show.
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
