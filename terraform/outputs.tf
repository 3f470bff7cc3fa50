output "cluster_name" {
  description = "Name of the kind cluster."
  value       = terraform_data.cluster.output.name
}

output "context" {
  description = "Kube context; the lab names it in every call."
  value       = "kind-${terraform_data.cluster.output.name}"
}

output "endpoint" {
  description = "URL of the API server."
  # The path is known only after a creation, so the file is read after it.
  value = try(jsondecode(file(terraform_data.cluster.output.record)).endpoint, null)
}

output "network" {
  description = "Docker network that the nodes are on; kind's own where a cluster was adopted."
  value       = try(jsondecode(file(terraform_data.cluster.output.record)).network, null)
}
