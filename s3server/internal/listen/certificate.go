package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"time"
)

// certificateTerm is the longest term that Apple's clients accept.
const certificateTerm = 825 * 24 * time.Hour

// WithCertificate returns a copy of c that has a certificate, and the certificate that
// clients must trust. It makes one for the hosts if c has none.
func WithCertificate(c *tls.Config, hosts []string) (*tls.Config, *x509.Certificate, error) {
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	if c.GetCertificate != nil || c.GetConfigForClient != nil {
		return c, nil, nil // the caller knows what to trust
	}
	if len(c.Certificates) == 0 {
		own, err := newCertificate(hosts)
		if err != nil {
			return nil, nil, err
		}
		c.Certificates = []tls.Certificate{own}
	}
	first := c.Certificates[0]
	if len(first.Certificate) == 0 || first.PrivateKey == nil {
		return nil, nil, errors.New("the first of Config.TLS.Certificates must have a certificate and a private key")
	}
	leaf, err := x509.ParseCertificate(first.Certificate[0])
	return c, leaf, err
}

// Hosts returns the names under which clients reach the server.
func Hosts(addr string, domains []string) []string {
	hosts := []string{"localhost", "*.localhost", "127.0.0.1", "::1"}
	for _, domain := range domains {
		hosts = append(hosts, domain, "*."+domain)
	}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	return hosts
}

// newCertificate makes a certificate that signs itself.
func newCertificate(hosts []string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "s3server"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateTerm - time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func EncodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
