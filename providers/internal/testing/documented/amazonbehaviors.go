package documented

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// WithoutDecrypt imitates a bucket with SSE-KMS, and a role without the permission kms:Decrypt. A
// HEAD request that asks for an object's checksum gets 403 without a body. For a missing object,
// the request still gets 404. GET requests and uploads of parts would need kms:Decrypt too, but
// this Behavior permits them.
var WithoutDecrypt = Behavior{
	"a role without kms:Decrypt", amazonAPI + "API_HeadObject.html",
	func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodHead || r.Header.Get("X-Amz-Checksum-Mode") == "" {
				next.ServeHTTP(w, r)
				return
			}
			response := httptest.NewRecorder()
			next.ServeHTTP(response, r)
			if response.Code == http.StatusOK {
				response = httptest.NewRecorder()
				response.Header().Set("X-Amz-Request-Id", "R1")
				response.Code = http.StatusForbidden
			}
			relay(w, response)
		})
	},
}

// DeniedDecrypt is a bucket with SSE-KMS in which nothing may be decrypted. Reads of objects are
// refused. Parts of an upload are refused, too, because S3 has to decrypt the key of the earlier
// parts to encrypt the next one.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
var DeniedDecrypt = Behavior{
	"nothing may be decrypted", "ministryofjustice/modernisation-platform#3468",
	func(next http.Handler) http.Handler {
		return WithoutDecrypt.middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch _, kind := AmazonKind(r); strings.TrimSuffix(kind, " if") {
			case "GET object", "CopyObject", "UploadPart", "UploadPartCopy":
				refuse(
					w, http.StatusForbidden, "AccessDenied",
					"The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
				)
			default:
				next.ServeHTTP(w, r)
			}
		}))
	},
}

// R2Lacks refuses headers and operations that R2 does not implement. Like R2, it answers with 501
// (openreplay/openreplay#2018). R2 may ignore some conditions without an error. R2Lacks refuses
// these conditions too, so that a test finds a driver that relies on one.
var R2Lacks = Behavior{
	"R2 lacks it", "https://developers.cloudflare.com/r2/api/s3/api/",
	func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lacked := unsupportedByR2(r); lacked != "" {
				refuse(w, http.StatusNotImplemented, "NotImplemented", lacked+" not implemented")
				return
			}
			next.ServeHTTP(w, r)
		})
	},
}

// R2 implements none of these headers and parameters.
var (
	r2Headers = []string{
		"X-Amz-Tagging", "X-Amz-Acl", "X-Amz-Grant-", "X-Amz-Object-Lock-", "X-Amz-Bucket-Object-Lock-Enabled", "X-Amz-Bypass-Governance-Retention",
		"X-Amz-Server-Side-Encryption-Aws-", "X-Amz-Server-Side-Encryption-Context", "X-Amz-Server-Side-Encryption-Bucket-", "X-Amz-Website-", "X-Amz-Request-Payer",
		"X-Amz-Mfa", "X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner",
	}
	r2Parameters = []string{
		"acl", "tagging", "versions", "versioning", "versionId", "policy", "policyStatus", "publicAccessBlock", "ownershipControls", "object-lock", "retention",
		"legal-hold", "restore", "attributes",
	}
)

// unsupportedByR2 describes a header or parameter of a request that Cloudflare R2 does not implement,
// or returns "" if there is none.
func unsupportedByR2(r *http.Request) string {
	prefixes := slices.Concat(r2Headers, conditionsWithoutR2(r))
	for name := range r.Header {
		value := r.Header.Get(name)
		hasPrefix := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		isUnsupported := name == "X-Amz-Server-Side-Encryption" ||
			name == "X-Amz-Checksum-Type" && value == "FULL_OBJECT" ||
			slices.ContainsFunc(prefixes, hasPrefix)
		if isUnsupported {
			return fmt.Sprintf("Header '%s' with value '%s'", strings.ToLower(name), value)
		}
	}
	for name := range r.URL.Query() {
		if slices.Contains(r2Parameters, name) {
			return fmt.Sprintf("Parameter '%s'", name)
		}
	}
	return ""
}

// conditionsWithoutR2 returns the prefix of the condition headers that Cloudflare R2 does not support
// in a request, or nil if it supports all.
func conditionsWithoutR2(r *http.Request) []string {
	isCopy := r.Header.Get("X-Amz-Copy-Source") != ""
	if isCopy && r.URL.Query().Has("partNumber") {
		return []string{"X-Amz-Copy-Source-If-"} // cloudflare/cloudflare-docs#32458
	}
	if isCopy || r.Method == http.MethodDelete {
		// For copies, R2 has cf-copy-destination-if-* instead.
		return []string{"If-"}
	}
	return nil
}

// R2Parts refuses parts of different sizes. On R2, all parts but the last must have the same size
// (apache/opendal#2904).
var R2Parts = Behavior{
	"parts of one size", "https://developers.cloudflare.com/r2/objects/multipart-objects/#limitations",
	func(next http.Handler) http.Handler {
		var mu sync.Mutex
		sizes := map[string]map[int]int64{} // sizes of parts, by upload and part number
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			upload := query.Get("uploadId")
			if r.Method == http.MethodPut && query.Has("partNumber") {
				number, _ := strconv.Atoi(query.Get("partNumber"))
				mu.Lock()
				if sizes[upload] == nil {
					sizes[upload] = map[int]int64{}
				}
				sizes[upload][number] = partSize(r)
				mu.Unlock()
			} else if r.Method == http.MethodPost && query.Has("uploadId") {
				body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
				r.Body = io.NopCloser(bytes.NewReader(body))
				mu.Lock()
				equal := equalParts(body, sizes[upload])
				mu.Unlock()
				if !equal {
					refuse(w, http.StatusBadRequest, "InvalidPart", "All non-trailing parts must have the same length.")
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	},
}

// R2Conditions aborts a multipart upload if it is completed with a condition that is false. R2 does
// so since 2023-08-11.
var R2Conditions = Behavior{
	"a false condition aborts", "https://developers.cloudflare.com/r2/platform/release-notes/",
	func(next http.Handler) http.Handler {
		var aborted sync.Map // uploads that were aborted
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			upload := r.URL.Query().Get("uploadId")
			// The server behind this handler still has the upload, so pass its abort on.
			if _, ok := aborted.Load(upload); ok && r.Method != http.MethodDelete {
				refuse(w, http.StatusNotFound, "NoSuchUpload", "The specified multipart upload does not exist.")
				return
			}
			if upload == "" || r.Method != http.MethodPost {
				next.ServeHTTP(w, r)
				return
			}
			response := httptest.NewRecorder()
			next.ServeHTTP(response, r)
			if response.Code == http.StatusPreconditionFailed {
				aborted.Store(upload, true)
			}
			relay(w, response)
		})
	},
}

// unknownSize is the size of a part that is the whole source of a copy.
const unknownSize = -1

// partSize returns the size in bytes of the part that a request stores. It is unknownSize if the
// request copies a whole object as the part.
func partSize(r *http.Request) int64 {
	if r.Header.Get("X-Amz-Copy-Source") == "" {
		return r.ContentLength
	}
	first, last, isRange := strings.Cut(strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source-Range"), "bytes="), "-")
	if !isRange {
		return unknownSize
	}

	// The driver sends only valid numbers.
	start, _ := strconv.ParseInt(first, 10, 64)
	end, _ := strconv.ParseInt(last, 10, 64)
	return end - start + 1
}

var partNumbers = regexp.MustCompile(`<PartNumber>(\d+)</PartNumber>`)

// equalParts reports whether all parts that a completion names have the same size, except that the last
// one may be smaller. Parts of an unknown size do not count.
func equalParts(completion []byte, sizes map[int]int64) bool {
	commonSize := int64(unknownSize)
	names := partNumbers.FindAllSubmatch(completion, -1)
	for i, name := range names {
		number, _ := strconv.Atoi(string(name[1])) // the expression matches only digits
		size := sizes[number]
		if size == unknownSize {
			continue
		}
		if commonSize == unknownSize {
			// This is the first part of a known size.
			commonSize = size
			continue
		}

		isLast := i == len(names)-1
		if size > commonSize || size < commonSize && !isLast {
			return false
		}
	}
	return true
}

// refuse sends an error of S3.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, amazonBody(code, message)(nil))
}
