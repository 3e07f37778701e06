package permissions

// These permissions are for reading all settings of a bucket. BucketInfo reads the settings, and so
// does UpdateBucket after it has changed the bucket. Amazon's block of public access is read only if
// the bucket's policy is public.
const (
	amazonPrivateSettings = "ListBucket GetBucketPolicy GetBucketVersioning GetBucketCORS GetLifecycleConfiguration " +
		"GetBucketObjectLockConfiguration"
	amazonSettings = amazonPrivateSettings + " GetBucketPublicAccessBlock"
	roleSettings   = "containers/read read"
	letterSettings = "r(c) r(s)"
)

var onBuckets = []row{
	{"list-buckets", "Buckets", "", needs{"ListAllMyBuckets", "buckets.list", "containers/read", "l(s)"}},
	{
		"bucket-info", "BucketInfo", "",
		needs{amazonSettings, "buckets.get buckets.getIamPolicy", roleSettings, letterSettings},
	},
	{
		"create-bucket", "CreateBucket", "",
		needs{"CreateBucket ListBucket", "buckets.create", "containers/write", "c(c)"},
	},
	{
		"create-bucket-versioning", "CreateBucket", "with `WithVersioning`",
		needs{"CreateBucket ListBucket PutBucketVersioning", "buckets.create", unsupported, unsupported},
	},
	{
		"create-bucket-cors", "CreateBucket", "with `WithCORS`",
		needs{
			"CreateBucket ListBucket PutBucketCORS",
			"buckets.create",
			"containers/read containers/write write",
			"r(c) c(c) w(s)",
		},
	},
	{
		"create-bucket-lifecycle", "CreateBucket", "with `WithLifecycle`",
		needs{"CreateBucket ListBucket PutLifecycleConfiguration", "buckets.create", unsupported, unsupported},
	},
	{
		"create-bucket-public", "CreateBucket", "with `WithPublicAccess`",
		needs{
			"CreateBucket ListBucket GetBucketPolicy GetBucketPublicAccessBlock PutBucketPolicy PutBucketPublicAccessBlock",
			"buckets.create buckets.getIamPolicy buckets.setIamPolicy",
			"containers/write",
			"c(c)",
		},
	},
	{
		"create-bucket-lock", "CreateBucket", "with `WithObjectLock`",
		needs{
			"CreateBucket ListBucket PutBucketObjectLockConfiguration PutBucketVersioning",
			"buckets.create buckets.enableObjectRetention",
			unsupported,
			unsupported,
		},
	},
	{
		"update-bucket-versioning", "UpdateBucket", "with `WithVersioning`",
		needs{
			amazonSettings + " PutBucketVersioning",
			"buckets.update buckets.getIamPolicy",
			unsupported,
			unsupported,
		},
	},
	{
		"update-bucket-cors", "UpdateBucket", "with `WithCORS`",
		needs{
			amazonSettings + " PutBucketCORS",
			"buckets.update buckets.getIamPolicy",
			roleSettings + " write",
			letterSettings + " w(s)",
		},
	},
	{
		"update-bucket-lifecycle", "UpdateBucket", "with `WithLifecycle`",
		needs{
			amazonSettings + " PutLifecycleConfiguration",
			"buckets.update buckets.getIamPolicy",
			unsupported,
			unsupported,
		},
	},
	{
		"update-bucket-public", "UpdateBucket", "with `WithPublicAccess(true)`",
		needs{
			amazonSettings + " PutBucketPublicAccessBlock PutBucketPolicy",
			"buckets.update buckets.getIamPolicy buckets.setIamPolicy",
			accountKey + " " + roleSettings,
			accountKey + " " + letterSettings,
		},
	},
	{
		"update-bucket-private", "UpdateBucket", "with `WithPublicAccess(false)`",
		needs{
			amazonPrivateSettings + " PutBucketPublicAccessBlock DeleteBucketPolicy",
			"buckets.update buckets.getIamPolicy buckets.setIamPolicy",
			accountKey + " " + roleSettings,
			accountKey + " " + letterSettings,
		},
	},
	{
		"delete-bucket", "DeleteBucket", "",
		needs{"DeleteBucket ListBucket", "buckets.delete objects.list", "containers/delete blobs/read", "d(c) l"},
	},
}
