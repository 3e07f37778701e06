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

const maxCORSRules = 5 // of an account

// setCORS replaces the account's rules; without a rule it clears them. The other
// properties of the account are not sent, and so stay as they are.
//
// https://learn.microsoft.com/rest/api/storageservices/set-blob-service-properties
func (b *managedContainer) setCORS(ctx context.Context, rules []storage.CORSRule) error {
	o := &service.SetPropertiesOptions{CORS: []*service.CORSRule{}} // nil would be left out
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
		_, err := b.service.SetProperties(ctx, o)
		return err
	})
}

func (b *managedContainer) cors(ctx context.Context) ([]storage.CORSRule, error) {
	p, err := b.service.GetProperties(ctx, nil)
	if err != nil {
		return nil, reads(err)
	}
	var rules []storage.CORSRule
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
	return rules, nil
}

// joined and parted: Azure writes a list as one text.
func joined(list []string) *string { return to.Ptr(strings.Join(list, ",")) }

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
