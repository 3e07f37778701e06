package gcs_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// keepsPolicy reports whether a form's fields fit its policy: each condition
// holds, and each field is in one.
func keepsPolicy(fields map[string]string, bucket string, size int64) bool {
	text, err := base64.StdEncoding.DecodeString(fields["policy"])
	var policy struct {
		Expiration time.Time
		Conditions []any
	}
	if err != nil || json.Unmarshal(text, &policy) != nil || time.Now().After(policy.Expiration) {
		return false
	}
	free := map[string]bool{"policy": true, "x-goog-signature": true, "file": true}
	for _, condition := range policy.Conditions {
		switch c := condition.(type) {
		case []any:
			if len(c) != 3 || c[0] != "content-length-range" || !within(size, fmt.Sprint(c[1]), fmt.Sprint(c[2])) {
				return false
			}
		case map[string]any:
			for name, value := range c {
				if name == "bucket" && value != bucket || name != "bucket" && value != fields[name] {
					return false
				}
				free[name] = true
			}
		}
	}
	for name := range fields {
		if !free[name] && !strings.HasPrefix(name, "x-ignore-") {
			return false
		}
	}
	return true
}
