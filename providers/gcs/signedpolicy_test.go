package gcs_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// keepsPolicy reports whether a form's fields fit its policy: each condition holds, and each field
// is in a condition.
func keepsPolicy(fields map[string]string, bucket string, size int64) bool {
	text, err := base64.StdEncoding.DecodeString(fields["policy"])
	var policy struct {
		Expiration time.Time
		Conditions []any
	}
	if err != nil || json.Unmarshal(text, &policy) != nil || time.Now().After(policy.Expiration) {
		return false
	}

	allowed := map[string]bool{"policy": true, "x-goog-signature": true, "file": true}
	for _, condition := range policy.Conditions {
		switch condition := condition.(type) {
		case []any: // ["content-length-range", least, most]
			if !isWithinRange(condition, size) {
				return false
			}
		case map[string]any: // {field: value}
			for name, value := range condition {
				want := fields[name]
				if name == "bucket" {
					want = bucket
				}
				if value != want {
					return false
				}
				allowed[name] = true
			}
		}
	}

	for name := range fields {
		if !allowed[name] && !strings.HasPrefix(name, "x-ignore-") {
			return false
		}
	}
	return true
}

// isWithinRange reports whether a condition is a range of sizes that contains size.
func isWithinRange(condition []any, size int64) bool {
	if len(condition) != 3 || condition[0] != "content-length-range" {
		return false
	}
	return isWithin(size, fmt.Sprint(condition[1]), fmt.Sprint(condition[2]))
}
