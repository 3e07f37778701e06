package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// cleared is what replaces a value.
const cleared = "CLEARED"

// keptHeaders are the headers whose values are recorded. All other values are replaced by CLEARED:
// authorizations, tokens, customers' keys, ids of requests, of hosts and of keys.
var keptHeaders = strings.Fields(`
	Accept-Ranges Cache-Control Content-Disposition Content-Encoding Content-Language Content-Length Content-Range
	Content-Type Date Etag Expires If-Match If-None-Match If-Modified-Since If-Unmodified-Since Last-Modified Range
	Retry-After Server Vary
	X-Amz-Checksum-Algorithm X-Amz-Checksum-Crc32 X-Amz-Checksum-Crc32c X-Amz-Checksum-Crc64nvme X-Amz-Checksum-Mode
	X-Amz-Checksum-Type X-Amz-Content-Sha256 X-Amz-Copy-Source X-Amz-Copy-Source-If-Match X-Amz-Decoded-Content-Length
	X-Amz-Delete-Marker X-Amz-Metadata-Directive X-Amz-Mp-Parts-Count X-Amz-Storage-Class X-Amz-Tagging-Count
	X-Amz-Trailer X-Amz-Version-Id X-Amz-Server-Side-Encryption X-Amz-Meta-*
	X-Goog-Generation X-Goog-Hash X-Goog-If-Generation-Match X-Goog-Metageneration X-Goog-Storage-Class
	X-Goog-Stored-Content-Encoding X-Goog-Stored-Content-Length X-Goog-Component-Count X-Goog-Meta-*
	X-Ms-Access-Tier X-Ms-Access-Tier-Inferred X-Ms-Blob-Cache-Control X-Ms-Blob-Content-Disposition
	X-Ms-Blob-Content-Encoding X-Ms-Blob-Content-Language X-Ms-Blob-Content-Md5 X-Ms-Blob-Content-Type X-Ms-Blob-Type
	X-Ms-Content-Crc64 X-Ms-Copy-Source X-Ms-Copy-Status X-Ms-Creation-Time X-Ms-Delete-Snapshots X-Ms-Error-Code
	X-Ms-Is-Current-Version X-Ms-Lease-State X-Ms-Lease-Status X-Ms-Range X-Ms-Request-Server-Encrypted
	X-Ms-Requires-Sync X-Ms-Server-Encrypted X-Ms-Tag-Count X-Ms-Version X-Ms-Version-Id X-Ms-Meta-* Content-Md5`)

// keptParameters are the query parameters whose values are recorded. All other values are replaced
// by CLEARED: signatures, tokens, and names of projects and accounts.
var keptParameters = strings.Fields(`
	acl attributes comp compose continuation-token cors delete delimiter encoding-type endOffset generation
	ifGenerationMatch ifGenerationNotMatch ifMetagenerationMatch ifMetagenerationNotMatch
	includeFoldersAsPrefixes includeTrailingDelimiter include legal-hold lifecycle list-type location marker matchGlob
	max-keys max-parts maxResults maxresults name object-lock pageToken part-number-marker partNumber policy prefix
	prettyPrint projection restype retention rewriteTo sourceGeneration startOffset startFrom start-after tagging
	timeout uploads uploadType versionId versionid versioning versions x-id alt fields`)

// clearedElements are the elements of XML documents, and the fields of JSON documents, whose values
// are replaced by CLEARED.
var clearedElements = strings.Fields(`
	AWSAccessKeyId AccessKeyId AuthenticationErrorDetail Bucket CanonicalRequest CanonicalRequestBytes ClientId
	DisplayName Emailaddress HostId ID Owner KMSMasterKeyID RequestId Resource SecretAccessKey SessionToken SignatureProvided
	SignedOid SignedTid StringToSign StringToSignBytes UploadId Value
	access_token client_email client_secret debugInfo domain email entity entityId id_token keySha256 kmsKeyName link
	mediaLink members owner private_key project projectNumber refresh_token selfLink serviceAccount user`)

// A scrubber removes from exchanges what tells about an account: credentials, account names, tokens,
// signatures, keys and names of buckets. It has three means. Headers, parameters, elements and
// fields that are not known to be harmless lose their value. Names of buckets and hosts are replaced
// by others. And an exchange in which a known secret remains is not recorded at all: plain, escaped
// for a URL, in Base64 or in hexadecimal digits.
type scrubber struct {
	secrets []string          // known secrets
	buckets map[string]string // replacements by name
}

// newScrubber returns a scrubber that knows the values in the address, and those of the environment
// variables of the clouds.
func newScrubber(address string, environ []string) *scrubber {
	s := &scrubber{buckets: map[string]string{}}
	if u, err := url.Parse(address); err == nil {
		harmless := []string{"region", "profile", "path_style", "hierarchical_namespace", "api_version"}
		for name, values := range u.Query() {
			if !slices.Contains(harmless, name) {
				s.know(values...)
			}
		}
		if endpoint, err := url.Parse(u.Query().Get("endpoint")); err == nil {
			account, _, _ := strings.Cut(endpoint.Host, ".")
			s.know(account, strings.Trim(endpoint.Path, "/"))
		}
		s.know(u.User.Username())
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"AWS_", "AZURE_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "MINIO_", "R2_", "B2_"} {
			if strings.HasPrefix(name, prefix) && !strings.HasSuffix(name, "REGION") {
				s.know(value)
			}
		}
	}
	return s
}

// minSecret is the least length of a known secret, in bytes. A shorter text occurs by chance.
const minSecret = 6

func (s *scrubber) know(values ...string) {
	for _, value := range values {
		if len(value) >= minSecret && !slices.Contains(s.secrets, value) {
			s.secrets = append(s.secrets, value)
		}
	}
}

// credential matches the id of the access key in an authorization of AWS.
var credential = regexp.MustCompile(`Credential=([^/,]+)`)

// learn adds the secrets in the headers of a request to those that are known.
func (s *scrubber) learn(header http.Header) {
	for name, values := range header {
		lower := strings.ToLower(name)
		for _, value := range values {
			switch {
			case lower == "authorization":
				_, token, _ := strings.Cut(value, " ")
				s.know(token)
				if id := credential.FindStringSubmatch(value); id != nil {
					s.know(id[1])
				}
				if account, _, found := strings.Cut(strings.TrimPrefix(value, "SharedKey "), ":"); found {
					s.know(account)
				}
			case strings.HasSuffix(lower, "-key"), strings.HasSuffix(lower, "-token"), strings.HasSuffix(lower, "-key-sha256"),
				strings.HasSuffix(lower, "-key-md5"), strings.HasSuffix(lower, "-user-project"):
				s.know(value)
			}
		}
	}
}

// bucket returns the replacement of a bucket's name.
func (s *scrubber) bucket(name string) string {
	if s.buckets[name] == "" {
		s.buckets[name] = "bucket-" + string(rune('a'+len(s.buckets)%26)) + hex.EncodeToString([]byte{byte(len(s.buckets) / 26)})
	}
	return s.buckets[name]
}

func (s *scrubber) withoutBuckets(text string) string {
	return ownBucket.ReplaceAllStringFunc(text, s.bucket)
}

// scrub returns x without what tells about the account. If a secret remains, it fails.
func (s *scrubber) scrub(x exchange) (exchange, error) {
	address, err := s.address(x.Request.URL)
	if err != nil {
		return x, err
	}
	x.Request.URL = address
	x.Request.Header = s.header(x.Request.Header)
	x.Response.Header = s.header(x.Response.Header)
	x.Request.MediaType, _, _ = strings.Cut(x.Request.MediaType, ";")
	bodies := make([][]byte, len(x.Request.BodyParts))
	for i, part := range x.Request.BodyParts {
		bodies[i] = s.document(part)
	}
	x.Request.BodyParts = bodies
	x.Response.Body = s.document(x.Response.Body)
	if x.Response.Header.Get("Content-Length") != "" && x.Request.Method != http.MethodHead {
		x.Response.Header.Set("Content-Length", strconv.Itoa(len(x.Response.Body)))
	}
	data, err := json.Marshal(x)
	if err != nil {
		return x, err
	}
	all := [][]byte{data, x.Response.Body}
	if s.remains(bytes.Join(append(all, x.Request.BodyParts...), []byte("\n"))) {
		return x, errSecret
	}
	return x, nil
}

// remains reports whether a known secret is in text.
func (s *scrubber) remains(text []byte) bool {
	for _, secret := range s.secrets {
		forms := []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
			strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
			strings.TrimRight(base64.URLEncoding.EncodeToString([]byte(secret)), "="),
		}
		for _, form := range forms {
			if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(form))) {
				return true
			}
		}
	}
	return ownBucket.Match(text)
}

// address replaces the host, the bucket and the parameters of a URL. The result has the form of the
// cloud's own addresses. On Amazon, a bucket in the path becomes a host. On Azure, the name of the
// account in the path of an emulator is left out.
func (s *scrubber) address(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	query := u.Query()
	for name, values := range query {
		for i, value := range values {
			if !slices.Contains(keptParameters, name) {
				values[i] = cleared
				continue
			}
			values[i] = s.withoutBuckets(value)
		}
	}
	out := &url.URL{Scheme: "https", RawQuery: query.Encode()}
	path := u.EscapedPath()
	segments := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	switch {
	case strings.HasPrefix(path, "/storage/v1/") || strings.HasPrefix(path, "/upload/storage/v1/"), strings.Contains(u.Host, "googleapis"):
		out.Host = "storage.googleapis.com"
	case isAzure(u, segments):
		out.Host = "account.blob.core.windows.net"
		if !ownBucket.MatchString(segments[0]) && len(segments) > 1 {
			path = "/" + strings.Join(segments[1:], "/")
		}
	case ownBucket.MatchString(u.Host):
		out.Host = s.bucket(ownBucket.FindString(u.Host)) + ".s3.us-east-1.amazonaws.com"
	default:
		out.Host = s.bucket(segments[0]) + ".s3.us-east-1.amazonaws.com"
		path = "/" + strings.Join(segments[1:], "/")
	}
	path = s.withoutBuckets(path)
	if out.Path, err = url.PathUnescape(path); err != nil {
		return "", err
	}
	out.RawPath = path
	return out.String(), nil
}

// isAzure reports whether a URL is one of Azure Blob Storage, or of an emulator of it, whose path
// begins with the account.
func isAzure(u *url.URL, segments []string) bool {
	query := u.Query()
	return strings.Contains(u.Host, ".blob.") || query.Has("restype") || query.Has("comp") ||
		len(segments) > 1 && !ownBucket.MatchString(u.Host+segments[0]) && ownBucket.MatchString(segments[1])
}

// header replaces the values of headers.
func (s *scrubber) header(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		for _, value := range values {
			if !isKept(name) {
				value = cleared
			}
			out.Add(name, s.copySource(name, value))
		}
	}
	return out
}

func isKept(header string) bool {
	return slices.ContainsFunc(keptHeaders, func(kept string) bool {
		prefix, isPrefix := strings.CutSuffix(kept, "*")
		return header == kept || isPrefix && strings.HasPrefix(header, prefix)
	})
}

// copySource replaces the host and the account in the URL of the source of a copy on Azure.
func (s *scrubber) copySource(name, value string) string {
	if name != "X-Ms-Copy-Source" {
		return s.withoutBuckets(value)
	}
	address, err := s.address(value)
	if err != nil {
		return cleared
	}
	return address
}

var (
	// element matches an element of XML without elements in it.
	element = regexp.MustCompile(`<(` + strings.Join(clearedElements, "|") + `)>[^<]*</`)
	// field matches a field of JSON with a text or a list of texts.
	field = regexp.MustCompile(`"(` + strings.Join(clearedElements, "|") + `)"\s*:\s*("(\\.|[^"\\])*"|\[[^\]{]*\])`)
)

// document replaces what tells about the account in a document. It leaves the content of objects as
// it is.
func (s *scrubber) document(body []byte) []byte {
	start := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case bytes.HasPrefix(start, []byte("<")):
		body = element.ReplaceAll(body, []byte("<$1>"+cleared+"</"))
		body = regexp.MustCompile(`ServiceEndpoint="[^"]*"`).ReplaceAll(body, []byte(`ServiceEndpoint="`+cleared+`"`))
	case bytes.HasPrefix(start, []byte("{")):
		body = field.ReplaceAll(body, []byte(`"$1":"`+cleared+`"`))
	default:
		return body
	}
	return []byte(s.withoutBuckets(string(body)))
}
