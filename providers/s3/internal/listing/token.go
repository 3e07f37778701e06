package listing

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// keyToken begins a token of this driver. After keyToken, the token has the number of the page,
// a colon, and the last key of the page before. Tokens of servers have no colon, because they
// are Base64.
const keyToken = "after:"

const (
	// PagesByKey is how many pages are requested by key. The first page does not count.
	PagesByKey = 16
	// QuickPage limits the time for a page. After a page that took longer, the driver requests the
	// next page with the server's token.
	QuickPage = 100 * time.Millisecond
)

// MakeKeyToken returns the token of a page that is requested by key.
func MakeKeyToken(page int, key string) string { return keyToken + strconv.Itoa(page) + ":" + key }

// ParseKeyToken returns the number of the page and the key in a token of MakeKeyToken. ok is false
// for any other token.
func ParseKeyToken(token string) (page int, key string, ok bool) {
	rest, ok := strings.CutPrefix(token, keyToken)
	if !ok {
		return 0, "", false
	}
	number, key, ok := strings.Cut(rest, ":")
	page, err := strconv.Atoi(number)
	return page, key, ok && err == nil
}

// StartOf returns the key after which MinIO begins the page for input, or "" if the page is the
// first.
func StartOf(input *awss3.ListObjectsV2Input) string {
	if input.ContinuationToken == nil {
		return aws.ToString(input.StartAfter)
	}
	return MarkerKey(DecodeToken(*input.ContinuationToken))
}

// cacheMark begins MinIO's own part of a marker. Each token of MinIO has it.
const cacheMark = "[minio_cache:"

// DecodeToken returns the marker in a token of MinIO, or "" if the token is another server's, whose
// text is not a key. This happens if a server has the wrong profile.
func DecodeToken(token string) string {
	marker, err := base64.StdEncoding.DecodeString(token)
	if err != nil || !strings.Contains(string(marker), cacheMark) {
		return ""
	}
	return string(marker)
}

// MarkerKey returns the key in a marker of MinIO, which adds a part of its own after the key.
func MarkerKey(marker string) string {
	if i := strings.LastIndex(marker, cacheMark); i >= 0 {
		return marker[:i]
	}
	return marker
}

// IsCachedPage reports whether a marker refers to a page that MinIO already has in its cache.
func IsCachedPage(marker string) bool {
	return strings.Contains(marker[len(MarkerKey(marker)):], ",id:")
}
