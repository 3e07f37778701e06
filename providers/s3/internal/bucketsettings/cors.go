package bucketsettings

import (
	"context"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// putCORS replaces the bucket's CORS rules, or removes them if rules is empty.
func (b *Bucket) putCORS(ctx context.Context, rules []storage.CORSRule) error {
	if len(rules) == 0 {
		return sdkcall.Exec(ctx, b.Client.DeleteBucketCors, &awss3.DeleteBucketCorsInput{Bucket: &b.Name})
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
			r.MaxAgeSeconds = aws.Int32(int32(min(rule.MaxAge/time.Second, math.MaxInt32)))
		}
		configuration.CORSRules = append(configuration.CORSRules, r)
	}
	return sdkcall.Exec(
		ctx, b.Client.PutBucketCors,
		&awss3.PutBucketCorsInput{Bucket: &b.Name, CORSConfiguration: configuration},
		b.BodyChecksum...)
}

// cors reads the bucket's CORS rules. The result is nil if the server has none.
func (b *Bucket) cors(ctx context.Context) ([]storage.CORSRule, error) {
	if !b.HasCORS {
		return nil, nil
	}
	output, err := readSetting(ctx, b.Client.GetBucketCors, &awss3.GetBucketCorsInput{Bucket: &b.Name},
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
