package bucketsettings

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/cleanup"
	"github.com/omnibucket/storage/providers/s3/internal/hostname"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

const allUsers = "http://acs.amazonaws.com/groups/global/AllUsers"

// setPublic makes the objects of the bucket readable by everyone, or only with credentials. It
// changes the block of public access before the policy, because AWS blocks public policies by
// default.
func (b *Bucket) setPublic(ctx context.Context, public bool) error {
	if !b.HasPolicies {
		return b.setPublicByACL(ctx, public)
	}

	// Read the policy before any change, because reading may be forbidden.
	policy, err := b.readPolicy(ctx)
	if err != nil {
		return err
	}

	// A block of public access would refuse the policy, so change the block first.
	var oldBlock *types.PublicAccessBlockConfiguration
	if b.hasAccessBlock() {
		if public {
			oldBlock, err = b.allowPublicPolicy(ctx)
		} else {
			err = b.blockPublicAccess(ctx)
		}
		if err != nil {
			return err
		}
	}

	// Write the policy only if it changes.
	isChanged := policy.setPublicRead(b.ARN(), public)
	if !isChanged {
		return nil
	}
	if err := b.putPolicy(ctx, policy); err != nil {
		return b.restoreAccessBlock(ctx, oldBlock, err)
	}
	return nil
}

// restoreAccessBlock restores the block that allowPublicPolicy has changed, because policyErr prevented the
// change of the policy. It returns policyErr, with a hint if the block could not be restored.
func (b *Bucket) restoreAccessBlock(
	ctx context.Context, oldBlock *types.PublicAccessBlockConfiguration, policyErr error,
) error {
	hadBlock := oldBlock != nil && !b.IsNew
	if !hadBlock || b.isUnsettled(policyErr) {
		// Nothing protected the bucket before, or the caller repeats the change.
		return policyErr
	}
	restore := func(ctx context.Context) error { return b.putAccessBlock(ctx, oldBlock) }
	return cleanup.After(ctx, s3error.Of(policyErr), "the permission for public policies", restore)
}

// setPublicByACL makes the bucket public or private on a server without policies, where an access control
// list decides who may read.
func (b *Bucket) setPublicByACL(ctx context.Context, public bool) error {
	acl := types.BucketCannedACLPrivate
	if public {
		acl = types.BucketCannedACLPublicRead
	}
	return sdkcall.Exec(
		ctx, b.Client.PutBucketAcl, &awss3.PutBucketAclInput{Bucket: &b.Name, ACL: acl},
		b.BodyChecksum...)
}

// isPublic reports whether everyone can read the objects of the bucket.
func (b *Bucket) isPublic(ctx context.Context) (bool, error) {
	// Without policies, only an access control list can permit it.
	if !b.HasPolicies {
		if !b.HasACLs {
			return false, nil
		}
		return b.isPublicByACL(ctx)
	}

	policy, err := b.readPolicy(ctx)
	if err != nil {
		return false, err
	}
	if !policy.allowsPublicRead(b.ARN()) {
		return false, nil
	}

	// A block of public access may make a public policy ineffective.
	if !b.hasAccessBlock() {
		return true, nil
	}
	block, err := b.readAccessBlock(ctx)
	if err != nil {
		return false, err
	}
	return !aws.ToBool(block.RestrictPublicBuckets), nil
}

// isPublicByACL reports whether the access control list of the bucket grants everyone, a group that S3
// identifies by the URI allUsers, the permission to read.
func (b *Bucket) isPublicByACL(ctx context.Context) (bool, error) {
	output, err := b.Client.GetBucketAcl(ctx, &awss3.GetBucketAclInput{Bucket: &b.Name})
	if err != nil {
		return false, s3error.Read(err)
	}
	isPublicRead := func(g types.Grant) bool {
		if g.Grantee == nil || aws.ToString(g.Grantee.URI) != allUsers {
			return false
		}
		return g.Permission == types.PermissionRead || g.Permission == types.PermissionFullControl
	}
	return slices.ContainsFunc(output.Grants, isPublicRead), nil
}

// readPolicy reads the policy of the bucket. If the bucket has none, the result is a policy without
// statements.
func (b *Bucket) readPolicy(ctx context.Context) (*bucketPolicy, error) {
	output, err := readSetting(ctx, b.Client.GetBucketPolicy, &awss3.GetBucketPolicyInput{Bucket: &b.Name},
		"NoSuchBucketPolicy")
	if err != nil {
		return nil, err
	}
	policy, err := parsePolicy(aws.ToString(output.Policy))
	if err != nil {
		return nil, &storage.Error{
			Code: storage.Internal,
			Err:  err,
			Hint: "the bucket's policy is not valid JSON: correct it with the provider's tools",
		}
	}
	return policy, nil
}

// putPolicy stores the policy of the bucket, or removes it if it has no statements. It repeats the
// request for a while if S3 still blocks public policies.
func (b *Bucket) putPolicy(ctx context.Context, policy *bucketPolicy) error {
	document := policy.String()
	if document == "" {
		return sdkcall.Exec(ctx, b.Client.DeleteBucketPolicy, &awss3.DeleteBucketPolicyInput{Bucket: &b.Name})
	}

	err := retryPending(ctx, b.isBlocked, func() error {
		return sdkcall.Exec(
			ctx, b.Client.PutBucketPolicy, &awss3.PutBucketPolicyInput{Bucket: &b.Name, Policy: &document},
			b.BodyChecksum...)
	})
	if b.isBlocked(err) {
		return sdkerror.WithHint(err,
			"check whether the account blocks public access: S3 > Block Public Access settings for this account")
	}
	return err
}

// isBlocked reports whether a policy was refused because of a block of public access. S3 still
// enforces the block for some seconds after its removal
// (https://github.com/env0/templates/pull/258). isBlocked returns false if the error's message says
// that the caller lacks a permission.
func (b *Bucket) isBlocked(err error) bool {
	_, message := s3error.CodeAndMessage(err)
	return storage.CodeOf(err) == storage.PermissionDenied && b.hasAccessBlock() &&
		(strings.Contains(message, "BlockPublicPolicy") || !strings.Contains(message, "not authorized to perform"))
}

// ARN returns the name of the bucket in policies.
func (b *Bucket) ARN() string {
	partition := "aws"
	if b.IsAmazon {
		partition = hostname.PartitionOf(b.Region).ID
	}
	return "arn:" + partition + ":s3:::" + b.Name
}

// hasAccessBlock reports whether the server has public access blocks. Only AWS is known
// to have them.
func (b *Bucket) hasAccessBlock() bool { return b.IsAmazon }

// readAccessBlock reads the bucket's settings that block public access, which are all off if the
// bucket has none.
func (b *Bucket) readAccessBlock(ctx context.Context) (*types.PublicAccessBlockConfiguration, error) {
	output, err := readSetting(
		ctx, b.Client.GetPublicAccessBlock, &awss3.GetPublicAccessBlockInput{Bucket: &b.Name},
		"NoSuchPublicAccessBlockConfiguration",
	)
	if err != nil {
		return nil, err
	}
	return cmp.Or(output.PublicAccessBlockConfiguration, &types.PublicAccessBlockConfiguration{}), nil
}

// blockPublicAccess turns on all settings that block public access to a bucket. They override its policy
// and its access control lists.
func (b *Bucket) blockPublicAccess(ctx context.Context) error {
	return b.putAccessBlock(ctx, &types.PublicAccessBlockConfiguration{
		BlockPublicAcls:       aws.Bool(true),
		IgnorePublicAcls:      aws.Bool(true),
		BlockPublicPolicy:     aws.Bool(true),
		RestrictPublicBuckets: aws.Bool(true),
	})
}

// allowPublicPolicy turns off the settings that block public policies. It returns the settings before the
// change, or nil if they block no policies, so that nothing had to change.
func (b *Bucket) allowPublicPolicy(ctx context.Context) (*types.PublicAccessBlockConfiguration, error) {
	old, err := b.readAccessBlock(ctx)
	if err != nil {
		return nil, err
	}
	blocksPolicies := aws.ToBool(old.BlockPublicPolicy) || aws.ToBool(old.RestrictPublicBuckets)
	if !blocksPolicies {
		return nil, nil
	}

	// Keep the settings for access control lists.
	config := *old
	config.BlockPublicPolicy = aws.Bool(false)
	config.RestrictPublicBuckets = aws.Bool(false)
	return old, b.putAccessBlock(ctx, &config)
}

// putAccessBlock stores the bucket's settings that block public access.
func (b *Bucket) putAccessBlock(ctx context.Context, block *types.PublicAccessBlockConfiguration) error {
	return sdkcall.Exec(ctx, b.Client.PutPublicAccessBlock, &awss3.PutPublicAccessBlockInput{
		Bucket:                         &b.Name,
		PublicAccessBlockConfiguration: block,
	}, b.BodyChecksum...)
}
