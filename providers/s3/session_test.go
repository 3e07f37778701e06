package s3

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Signed URLs expire with the session of the environment. If the expiry of the session is unknown,
// they last at most twelve hours.
func TestSignedURLExpiresWithSession(t *testing.T) {
	second := now.Truncate(time.Second)
	week := 7 * 24 * time.Hour
	tests := []struct {
		name   string
		env    map[string]string
		config Config
		want   time.Time // the expiry of the URL
	}{
		{name: "no session", want: second.Add(week)},
		{
			name: "a session with unknown expiry",
			env:  map[string]string{"AWS_SESSION_TOKEN": "token"},
			want: second.Add(12 * time.Hour),
		},
		{
			name: "a session that expires before the URL",
			env: map[string]string{
				"AWS_SESSION_TOKEN":         "token",
				"AWS_CREDENTIAL_EXPIRATION": second.Add(40 * time.Minute).Format(time.RFC3339),
			},
			want: second.Add(40 * time.Minute),
		},
		{
			name: "a session that expires after more than 12 hours",
			env: map[string]string{
				"AWS_SESSION_TOKEN":         "token",
				"AWS_CREDENTIAL_EXPIRATION": second.Add(36 * time.Hour).Format(time.RFC3339),
			},
			want: second.Add(36 * time.Hour),
		},
		{
			name: "a session with an invalid expiry",
			env:  map[string]string{"AWS_SESSION_TOKEN": "token", "AWS_CREDENTIAL_EXPIRATION": "soon"},
			want: second.Add(12 * time.Hour),
		},
		{
			name:   "a session of the Config, and an expiry in the environment",
			config: Config{AccessKeyID: "own", SecretKey: "secret", SessionToken: "token"},
			env: map[string]string{
				"AWS_SESSION_TOKEN":         "token",
				"AWS_CREDENTIAL_EXPIRATION": second.Add(time.Minute).Format(time.RFC3339),
			},
			want: second.Add(12 * time.Hour),
		},
		{
			name:   "a session of the Config",
			config: Config{AccessKeyID: "own", SecretKey: "secret", SessionToken: "token"},
			want:   second.Add(12 * time.Hour),
		},
		{
			name:   "a key of the Config, and a session in the environment",
			config: Config{AccessKeyID: "own", SecretKey: "secret"},
			env:    map[string]string{"AWS_SESSION_TOKEN": "token"},
			want:   second.Add(week),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "secret"})
			for name, value := range tt.env {
				t.Setenv(name, value)
			}

			config := tt.config
			config.Bucket = "photos"
			config.Region = "eu-west-1"
			opened, err := NewDriver(t.Context(), config)
			require.NoError(t, err)
			d := opened.(*objectDriver)

			signedURL, err := d.urls.sign(t.Context(), wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.TTL = week
			}), now)
			require.NoError(t, err)
			require.Equal(t, tt.want, signedURL.ExpiresAt)

			form, err := d.urls.signForm(t.Context(), formRequest(func(r *driver.SignRequest) {
				r.TTL = week
			}), now)
			require.NoError(t, err)
			require.Equal(t, tt.want, form.ExpiresAt)
		})
	}
}

// The credentials of a service expire with the environment's session.
func TestServiceCredentialsExpiry(t *testing.T) {
	setEnv(t, map[string]string{
		"AWS_ACCESS_KEY_ID":         "env",
		"AWS_SECRET_ACCESS_KEY":     "secret",
		"AWS_SESSION_TOKEN":         "token",
		"AWS_CREDENTIAL_EXPIRATION": "2026-03-04T06:00:00+01:00",
	})
	d, err := NewServiceDriver(t.Context(), Config{Region: "eu-west-1"})
	require.NoError(t, err)

	c, err := d.Credentials(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC), c.ExpiresAt)
}
