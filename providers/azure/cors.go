package azure

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage"
)

const maxCORSRules = 5 // per account

// setCORS replaces the account's CORS rules, or removes them if rules is empty. The other
// properties of the account do not change, because the request omits them.
// https://learn.microsoft.com/rest/api/storageservices/set-blob-service-properties
func (a *account) setCORS(ctx context.Context, rules []storage.CORSRule) error {
	// A nil list would be omitted and change nothing.
	o := &service.SetPropertiesOptions{CORS: []*service.CORSRule{}}
	for _, rule := range rules {
		o.CORS = append(o.CORS, &service.CORSRule{
			AllowedOrigins:  joined(rule.Origins),
			AllowedMethods:  joined(rule.Methods),
			AllowedHeaders:  joined(rule.AllowedHeaders),
			ExposedHeaders:  joined(rule.ExposedHeaders),
			MaxAgeInSeconds: new(int32(min(rule.MaxAge/time.Second, math.MaxInt32))),
		})
	}
	_, err := write(ctx, a, a.service.SetProperties, o)
	return err
}

// settings returns the account's CORS rules and how long it keeps deleted blobs, which is 0 without
// soft delete.
func (a *account) settings(ctx context.Context) (rules []storage.CORSRule, softDelete time.Duration, err error) {
	p, err := send(ctx, a, a.service.GetProperties, nil)
	if err != nil {
		return nil, 0, translateRead(err)
	}
	if policy := p.DeleteRetentionPolicy; policy != nil && deref(policy.Enabled) {
		softDelete = time.Duration(deref(policy.Days)) * day
	}
	for _, r := range p.CORS {
		rules = append(rules, storage.CORSRule{
			Origins:        splitList(r.AllowedOrigins),
			Methods:        splitList(r.AllowedMethods),
			AllowedHeaders: splitList(r.AllowedHeaders),
			ExposedHeaders: splitList(r.ExposedHeaders),
			MaxAge:         time.Duration(deref(r.MaxAgeInSeconds)) * time.Second,
		})
	}
	return rules, softDelete, nil
}

// joined returns a list as Azure writes it, as one string.
func joined(list []string) *string { return new(strings.Join(list, ",")) }

// splitList returns the elements of a list that is separated by commas, or nil for an empty list.
func splitList(list *string) []string {
	if deref(list) == "" {
		return nil
	}
	parts := strings.Split(*list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
