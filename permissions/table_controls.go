package permissions

var onControls = []row{
	{
		"upload-with-tags", "Upload", "with `WithTags`",
		needs{
			"PutObject PutObjectTagging",
			"objects.create objects.createContext",
			"blobs/write blobs/tags/write",
			"w t",
		},
	},
	{"tags", "Tags", "", needs{"GetObjectTagging", "objects.get", "blobs/tags/read", "t"}},
	{
		"add-tags", "SetTags", "to add some",
		needs{"PutObjectTagging", "objects.get objects.update objects.createContext", "blobs/tags/write", "t"},
	},
	{
		"change-tags", "SetTags", "to change some",
		needs{"PutObjectTagging", "objects.get objects.update objects.updateContext", "blobs/tags/write", "t"},
	},
	{
		"remove-tags", "SetTags", "to remove them",
		needs{"PutObjectTagging", "objects.get objects.update objects.deleteContext", "blobs/tags/write", "t"},
	},
	{
		"upload-with-retention", "Upload", "with `WithRetention`",
		needs{
			"PutObject PutObjectRetention",
			"objects.create objects.setRetention",
			"containers/read blobs/write containers/write",
			"r(c) w i",
		},
	},
	{
		"upload-with-legal-hold", "Upload", "with `WithLegalHold`",
		needs{
			"PutObject PutObjectLegalHold",
			"objects.create",
			"containers/read blobs/write containers/write",
			"r(c) w i",
		},
	},
	{
		"see-retention", "Attrs, Download", "to see a retention",
		needs{"GetObject GetObjectRetention", "objects.get", "blobs/read", "r"},
	},
	{
		"see-legal-hold", "Attrs, Download", "to see a legal hold",
		needs{"GetObject GetObjectLegalHold", "objects.get", "blobs/read", "r"},
	},
	{
		"set-retention", "SetRetention", "",
		needs{"PutObjectRetention", "objects.update objects.setRetention", "blobs/read containers/write", "r i"},
	},
	{
		"set-retention-bypass", "SetRetention", "with `WithGovernanceBypass`",
		needs{
			"PutObjectRetention BypassGovernanceRetention",
			"objects.update objects.setRetention objects.overrideUnlockedRetention",
			"blobs/read containers/write",
			"r i",
		},
	},
	{"set-legal-hold", "SetLegalHold", "", needs{"PutObjectLegalHold", "objects.update", "containers/write", "i"}},
	{
		"remove-version-bypass", "Remove", "of a version with `WithGovernanceBypass`",
		needs{
			"DeleteObjectVersion BypassGovernanceRetention",
			"objects.delete objects.get objects.update objects.setRetention objects.overrideUnlockedRetention",
			"blobs/deleteBlobVersion/action blobs/read containers/write",
			"x r i",
		},
	},
	{"restore", "Restore", "", needs{"GetObject RestoreObject", "objects.get", "blobs/read blobs/write", "r w"}},
	{
		"upload-public", "Upload", "with `WithPublicRead`",
		needs{"PutObject PutObjectAcl", "objects.create", unsupported, unsupported},
	},
	{
		"upload-encrypted", "Upload", "with a key of KMS",
		needs{"PutObject kms:GenerateDataKey", "objects.create", "blobs/write", "w"},
	},
	{
		"upload-parts-encrypted", "Upload", "with a key of KMS, in parts",
		needs{"PutObject kms:GenerateDataKey kms:Decrypt", "objects.create", "blobs/write", "w"},
	},
	{
		"download-encrypted", "Attrs, Download", "of an object with a key of KMS",
		needs{"GetObject kms:Decrypt", "objects.get", "blobs/read", "r"},
	},
}

var onSigning = []row{
	{
		"sign", "SignedDownloadURL, SignedUploadURL, SignedRemoveURL", "",
		needs{"", "iam.serviceAccounts.signBlob", "generateUserDelegationKey/action", unsupported},
	},
}
