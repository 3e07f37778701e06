package s3

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// putCORS replaces the bucket's CORS rules. If rules is empty, it removes them.
func (b *bucketSettingsAPI) putCORS(ctx context.Context, rules []storage.CORSRule) error {
	if len(rules) == 0 {
		return sdkcall.Exec(ctx, b.account.client.DeleteBucketCors, &awss3.DeleteBucketCorsInput{Bucket: &b.name})
	}
	configuration := &types.CORSConfiguration{}
	for _, rule := range rules {
		r := types.CORSRule{
			AllowedOrigins: rule.Origins,
			AllowedMethods: rule.Methods,
			AllowedHeaders: rule.AllowedHeaders,
			ExposeHeaders:  rule.ExposedHeaders,
		}
		if rule.MaxAge > 0 {
			r.MaxAgeSeconds = aws.Int32(int32(min(rule.MaxAge/time.Second, 1<<31-1)))
		}
		configuration.CORSRules = append(configuration.CORSRules, r)
	}
	return sdkcall.Exec(
		ctx, b.account.client.PutBucketCors,
		&awss3.PutBucketCorsInput{Bucket: &b.name, CORSConfiguration: configuration},
		b.account.withBodyChecksum()...)
}

func (b *bucketSettingsAPI) cors(ctx context.Context) ([]storage.CORSRule, error) {
	if !b.account.profile.CORS {
		return nil, nil
	}
	output, err := readSetting(ctx, b.account.client.GetBucketCors, &awss3.GetBucketCorsInput{Bucket: &b.name},
		"NoSuchCORSConfiguration")
	if err != nil {
		return nil, err
	}
	var rules []storage.CORSRule
	for _, r := range output.CORSRules {
		rules = append(rules, storage.CORSRule{
			Origins:        r.AllowedOrigins,
			Methods:        r.AllowedMethods,
			AllowedHeaders: r.AllowedHeaders,
			ExposedHeaders: r.ExposeHeaders,
			MaxAge:         time.Duration(aws.ToInt32(r.MaxAgeSeconds)) * time.Second,
		})
	}
	return rules, nil
}
