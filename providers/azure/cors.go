package azure

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage"
)

const maxCORSRules = 5 // per account

// setCORS replaces the account's rules; no rules clear them. It does not send the
// other properties of the account, so they stay.
// https://learn.microsoft.com/rest/api/storageservices/set-blob-service-properties
func (b *managedContainer) setCORS(ctx context.Context, rules []storage.CORSRule) error {
	o := &service.SetPropertiesOptions{CORS: []*service.CORSRule{}} // nil would be omitted
	for _, rule := range rules {
		o.CORS = append(o.CORS, &service.CORSRule{
			AllowedOrigins:  joined(rule.Origins),
			AllowedMethods:  joined(rule.Methods),
			AllowedHeaders:  joined(rule.AllowedHeaders),
			ExposedHeaders:  joined(rule.ExposedHeaders),
			MaxAgeInSeconds: to.Ptr(int32(min(rule.MaxAge/time.Second, math.MaxInt32))),
		})
	}
	return writes(ctx, func(ctx context.Context) error {
		_, err := b.account.service.SetProperties(ctx, o)
		return err
	})
}

// accountSettings returns the account's rules, and how long it keeps what is removed.
func (b *managedContainer) accountSettings(ctx context.Context) (rules []storage.CORSRule, softDelete time.Duration, err error) {
	p, err := ask(ctx, b.account, b.account.service.GetProperties, nil)
	if err != nil {
		return nil, 0, reads(err)
	}
	if keep := p.DeleteRetentionPolicy; keep != nil && keep.Enabled != nil && *keep.Enabled {
		softDelete = time.Duration(deref(keep.Days)) * day
	}
	for _, r := range p.CORS {
		rule := storage.CORSRule{
			Origins:        parted(r.AllowedOrigins),
			Methods:        parted(r.AllowedMethods),
			AllowedHeaders: parted(r.AllowedHeaders),
			ExposedHeaders: parted(r.ExposedHeaders),
		}
		if r.MaxAgeInSeconds != nil {
			rule.MaxAge = time.Duration(*r.MaxAgeInSeconds) * time.Second
		}
		rules = append(rules, rule)
	}
	return rules, softDelete, nil
}

// joined returns a list as Azure writes it, as one string.
func joined(list []string) *string { return to.Ptr(strings.Join(list, ",")) }

// parted splits a list of Azure's.
func parted(list *string) []string {
	if deref(list) == "" {
		return nil
	}
	parts := strings.Split(*list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
