package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// addCORSRule adds a CORS rule to the bucket, unless it has such a rule. The rule allows pages of these
// origins to send the headers of a signed upload. addCORSRule returns a sentence that says what was
// done.
func addCORSRule(ctx context.Context, account, bucket string, origins, headers []string) (string, error) {
	service, err := storage.OpenService(ctx, account)
	if err != nil {
		return "", err
	}
	defer func() { _ = service.Close() }()

	// An error may be about other settings of the bucket than its CORS rules.
	info, err := service.BucketInfo(ctx, bucket)
	rulesRead := info != nil && !slices.Contains(info.Unread, "CORS")
	if err != nil && !rulesRead {
		return "", err
	}

	for _, rule := range info.CORS {
		if permits(rule, origins, headers) {
			return "a rule for " + strings.Join(origins, " ") + " is there", nil
		}
	}

	// UpdateBucket replaces all rules, so pass the others, too. The new rule comes first, because some
	// stores use only the first rule that matches the origin.
	rule := storage.CORSRule{
		Origins:        origins,
		Methods:        []string{"GET", "PUT"},
		AllowedHeaders: headers, // each by name, because not every store permits "*"
		MaxAge:         time.Hour,
	}
	rules := append([]storage.CORSRule{rule}, info.CORS...)
	_, err = service.UpdateBucket(ctx, bucket, storage.WithCORS(rules...))
	if errors.Is(err, storage.Unsupported) {
		return "not set: this server has no rules of buckets, and one setting for all (on MinIO cors_allow_origin, which lets everyone in at first)", nil
	}
	if errors.Is(err, storage.PermissionDenied) {
		return "not set: the credentials may not change the bucket; add a rule for " + strings.Join(origins, " "), nil
	}
	if err != nil {
		return "", err
	}
	return "a rule for " + strings.Join(origins, " ") + " was added", nil
}

// permits reports whether a CORS rule lets pages of all these origins upload with PUT and these
// headers, and read with GET.
func permits(rule storage.CORSRule, origins, headers []string) bool {
	for _, origin := range origins {
		if !slices.Contains(rule.Origins, origin) && !slices.Contains(rule.Origins, "*") {
			return false
		}
	}
	for _, header := range headers {
		isAllowed := slices.ContainsFunc(rule.AllowedHeaders, func(name string) bool {
			return name == "*" || strings.EqualFold(name, header)
		})
		if !isAllowed {
			return false
		}
	}
	return slices.Contains(rule.Methods, "PUT") && slices.Contains(rule.Methods, "GET")
}
