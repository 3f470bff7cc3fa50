variable "cluster_name" {
  description = "Name of the kind cluster, of its Docker network, and, after `kind-`, of its kube context."
  type        = string
  default     = "sre-lab"
  nullable    = false

  validation {
    # Node containers are called NAME-control-plane, and a host name ends at 63 characters.
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name is 1 to 48 lower case letters, digits and dashes, such as sre-lab."
  }
  validation {
    condition     = !contains(["bridge", "host", "none", "kind"], var.cluster_name)
    error_message = "cluster_name is also the name of a Docker network, and this one belongs to Docker or to kind."
  }
}

variable "node_image" {
  description = "Image of the nodes, with the Kubernetes version as its tag; a digest may follow."
  type        = string
  default     = "kindest/node:v1.34.3"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9./:_-]*:v1\\.[0-9]+\\.[0-9]+(@sha256:[0-9a-f]{64})?$", var.node_image))
    error_message = "node_image names a Kubernetes version, such as kindest/node:v1.34.3, never latest."
  }
}

variable "allow_cgroup_v1" {
  description = "Let a kubelet of 1.35 or later start on a host with cgroup v1; without effect on cgroup v2 and on 1.34."
  type        = bool
  default     = true
  nullable    = false
}

variable "kubeconfig" {
  description = "File that gets the context; empty is what kind does: $KUBECONFIG, else ~/.kube/config."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.kubeconfig == "" || can(regex("^[/~]", var.kubeconfig))
    error_message = "kubeconfig is an absolute path, or empty."
  }
}

variable "lost" {
  description = "Nodes that somebody saw missing where a plan cannot look itself (Docker Desktop); see main.tf."
  type        = set(string)
  default     = []
  nullable    = false
}
