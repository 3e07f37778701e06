package attributes

import (
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/omnibucket/storage"
)

// RestoreState reads the header x-amz-restore, which has a value such as
//
//	ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"
func RestoreState(value *string) (s storage.RestoreState) {
	text := aws.ToString(value)
	s.InProgress = strings.Contains(text, `ongoing-request="true"`)
	_, rest, ok := strings.Cut(text, `expiry-date="`)
	date, _, isQuoted := strings.Cut(rest, `"`)
	if !ok || !isQuoted {
		return s
	}
	if t, err := time.Parse(http.TimeFormat, date); err == nil {
		s.Until = t.UTC()
	}
	return s
}
